"""A real PostgreSQL and a real broker for the whole run, and the rule for tests that need a browser."""

import os
import shutil
import time
from contextlib import ExitStack

import pytest
from django.conf import settings
from pytest_django import Settings

from config.embedded.services import throwaway_services

SERVERS = pytest.StashKey[ExitStack]()
BROWSERS = ("chromium", "chromium-browser", "google-chrome")


@pytest.hookimpl(tryfirst=True)
def pytest_configure(config: pytest.Config) -> None:
    """Start the servers that the environment does not name, then let Django read where they are.

    With pytest-xdist, the processes share the controller's PostgreSQL, in which pytest-django gives each a
    database; a broker each has to itself.
    """
    # What marketing mails show unless a test says otherwise; and no test asks the internet's name servers.
    os.environ.setdefault("POSTAL_ADDRESS", "Acme Ltd, 1 Main Street, 1010 Vienna")
    os.environ.setdefault("DNS_SERVERS", "127.0.0.1:9")
    servers = config.stash[SERVERS] = ExitStack()
    if not {"DATABASE_URL", "BROKER_URL"} <= os.environ.keys():
        if settings.configured:
            raise pytest.UsageError("Unset DJANGO_SETTINGS_MODULE: the servers have to be there before the settings.")
        services = servers.enter_context(throwaway_services())
        os.environ["DATABASE_URL"] = services.database_url
        if not _leaves_tests_to_others(config):
            os.environ["BROKER_URL"] = services.broker_url
    if _leaves_tests_to_others(config):
        os.environ.pop("DJANGO_SETTINGS_MODULE", None)  # or the others read it before they have a broker
    else:
        os.environ["DJANGO_SETTINGS_MODULE"] = "config.settings"
        assert settings.DATABASES  # read them now: pytest-django sets Django up only where that has happened


def _leaves_tests_to_others(config: pytest.Config) -> bool:
    return config.getoption("dist", "no") != "no" and not hasattr(config, "workerinput")


def pytest_unconfigure(config: pytest.Config) -> None:
    config.stash[SERVERS].close()


@pytest.fixture(autouse=True)
def quick_passwords(settings: Settings) -> None:
    """Hash passwords weakly: in earnest it takes most of a second, on purpose."""
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]


@pytest.fixture(autouse=True)
def nothing_planned(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let no test meet another's tracking plan, nor now and then a statement that reads it; ``planned`` makes one."""
    from events import plan

    monkeypatch.setattr(plan, "memory", plan.Memory())
    monkeypatch.setattr(plan.memory, "until", time.monotonic() + 3600)


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
