"""A real PostgreSQL and a real broker for the whole run, and the rule for tests that need a browser."""

import os
import shutil
from contextlib import ExitStack

import pytest

from config.embedded.services import throwaway_services

SERVERS = pytest.StashKey[ExitStack]()
BROWSERS = ("chromium", "chromium-browser", "google-chrome")


@pytest.hookimpl(tryfirst=True)
def pytest_configure(config: pytest.Config) -> None:
    """Start what the environment does not name, once: the processes of pytest-xdist inherit the addresses."""
    servers = config.stash[SERVERS] = ExitStack()
    wanted = {"DATABASE_URL", "BROKER_URL"} - os.environ.keys()
    if wanted and not hasattr(config, "workerinput"):
        services = servers.enter_context(throwaway_services())
        os.environ.update(services.environ())


def pytest_unconfigure(config: pytest.Config) -> None:
    config.stash[SERVERS].close()


def pytest_runtest_setup(item: pytest.Item) -> None:
    if item.get_closest_marker("browser") and find_browser() is None:
        reason = "There is no Chromium: install it, for instance with `apt-get install chromium`."
        if os.environ.get("CI") == "true":
            pytest.fail(reason)
        pytest.skip(reason)


def find_browser() -> str | None:
    """The path of a Chromium or Chrome, None where there is none."""
    return next((path for name in BROWSERS if (path := shutil.which(name))), None)


@pytest.fixture(scope="session")
def browser_path() -> str:
    path = find_browser()
    assert path is not None, "mark the test with `browser`"
    return path
