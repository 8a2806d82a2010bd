# Everything runs from a virtual environment that make sets up by itself; only Python ≥ 3.11 has to be there.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
UV_VERSION := 0.13.9
PIP_OPTIONS := install --quiet --disable-pip-version-check
INSTALLED := $(VENV)/.installed
# One more than cores: tests that wait for processes, browsers and clocks leave some idle.
TEST_WORKERS ?= 3
PACKAGES := config events messaging campaigns
# Where it is forbidden to keep compiled modules, each of the many processes of a run compiles them all anew: 3 s each.
export PYTHONDONTWRITEBYTECODE :=

.DEFAULT_GOAL := help
.PHONY: help demo test check bench lock format clean chromium

help:
	@echo "make demo     run everything on this machine: http://127.0.0.1:8000 (PORT=…, DATA_DIR=…)"
	@echo "make test     run the tests"
	@echo "make check    format, lint, types, import contract, missing migrations"
	@echo "make bench    run the benchmarks"
	@echo "make format   put the code in form"
	@echo "make lock     choose the versions of requirements.lock anew"
	@echo "make clean    remove what make made, except .data"

demo: $(INSTALLED)
	@exec $(BIN)/python -m config.embedded demo --tied

test: $(INSTALLED) chromium
	$(BIN)/pytest -n $(TEST_WORKERS) --dist worksteal

check: $(INSTALLED)
	$(BIN)/ruff format --check --output-format concise .
	$(BIN)/ruff check .
	$(BIN)/mypy $(PACKAGES)
	$(BIN)/lint-imports --no-logo
	$(BIN)/python -m config.embedded services -- $(BIN)/python manage.py makemigrations --check --dry-run

bench: $(INSTALLED)
	$(BIN)/pytest -s --timeout 0 tests/benchmarks

format: $(INSTALLED)
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

# No index and no annotations of one: the lock must not say from where its packages came.
lock: $(BIN)/uv
	$(BIN)/uv pip compile pyproject.toml --universal --generate-hashes --all-extras --upgrade \
		--no-emit-index-url --quiet --output-file requirements.lock

clean:
	rm -rf $(VENV) .static .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis

$(INSTALLED): requirements.lock $(BIN)/uv
	@echo "Installing the packages of requirements.lock."
	@$(BIN)/uv pip install --quiet --require-hashes --python $(BIN)/python -r requirements.lock
	@# Two libraries of Customer.io's bring a package of one name: the one whose __init__ says something goes last.
	@$(BIN)/uv pip install --quiet --require-hashes --python $(BIN)/python --reinstall-package customerio -r requirements.lock
	@touch $@

# Some systems ship Python without ensurepip; there the system's pip fills an environment that has none.
$(BIN)/uv: Makefile
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or newer is needed: make PYTHON=…")'
	@echo "Making the virtual environment $(VENV)."
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV) >/dev/null \
		|| $(PYTHON) -m venv --clear --without-pip $(VENV)
	@if $(BIN)/python -m pip --version >/dev/null 2>&1; \
		then $(BIN)/python -m pip $(PIP_OPTIONS) uv==$(UV_VERSION); \
		else $(PYTHON) -m pip --python $(BIN)/python $(PIP_OPTIONS) uv==$(UV_VERSION); fi
	@touch $@

# The browser tests need a Chromium. Without one, and without the right to install it, they skip and say so.
chromium:
	@command -v chromium >/dev/null || command -v chromium-browser >/dev/null || command -v google-chrome >/dev/null \
		|| if [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then \
			apt-get update -qq && apt-get install -y -qq --no-install-recommends chromium; fi
