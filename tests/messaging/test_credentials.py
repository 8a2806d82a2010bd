"""Secrets of providers: encrypted, or named by an environment variable."""

from __future__ import annotations

import pytest
from cryptography.fernet import Fernet
from pytest_django import Settings

from messaging import credentials
from messaging.errors import CredentialsError
from messaging.models import Provider


@pytest.fixture
def provider() -> Provider:
    return Provider(name="Live", kind=Provider.Kind.SENDGRID)


def test_a_secret_is_stored_encrypted(provider: Provider) -> None:
    credentials.store(provider, {"api_key": " SG.secret "})
    assert "SG.secret" not in provider.secrets
    assert credentials.reveal(provider) == {"api_key": "SG.secret"}


def test_other_secrets_are_kept_and_an_empty_one_is_removed() -> None:
    provider = Provider(name="Relay", kind=Provider.Kind.SMTP)
    credentials.store(provider, {"username": "ada", "password": "x"})
    credentials.store(provider, {"password": "y"})
    assert credentials.reveal(provider) == {"username": "ada", "password": "y"}
    credentials.store(provider, {"username": "", "password": ""})
    assert credentials.reveal(provider) == {}
    assert provider.secrets == ""


def test_an_environment_variable_is_read_when_it_is_needed(provider: Provider, monkeypatch: pytest.MonkeyPatch) -> None:
    credentials.store(provider, {"api_key": "$SENDGRID_KEY"})
    monkeypatch.setenv("SENDGRID_KEY", "one")
    assert credentials.reveal(provider) == {"api_key": "one"}
    monkeypatch.setenv("SENDGRID_KEY", "two")
    assert credentials.reveal(provider) == {"api_key": "two"}
    monkeypatch.delenv("SENDGRID_KEY")
    with pytest.raises(CredentialsError, match="The environment variable SENDGRID_KEY is not set"):
        credentials.reveal(provider)


def test_says_where_a_secret_comes_from_but_not_what_it_is(provider: Provider) -> None:
    assert credentials.missing(provider) == ["API key"]
    credentials.store(provider, {"api_key": "SG.secret"})
    assert credentials.describe(provider) == {"api_key": "stored"}
    credentials.store(provider, {"api_key": "$KEY"})
    assert credentials.describe(provider) == {"api_key": "from the environment variable KEY"}
    assert credentials.missing(provider) == []


def test_keys_can_be_rotated(provider: Provider, settings: Settings) -> None:
    old, new = Fernet.generate_key().decode(), Fernet.generate_key().decode()
    settings.ENCRYPTION_KEYS = [old]
    credentials.store(provider, {"api_key": "SG.secret"})
    settings.ENCRYPTION_KEYS = [new, old]
    assert credentials.reveal(provider) == {"api_key": "SG.secret"}


def test_a_lost_key_is_an_error_that_says_what_to_do(provider: Provider, settings: Settings) -> None:
    settings.ENCRYPTION_KEYS = [Fernet.generate_key().decode()]
    credentials.store(provider, {"api_key": "SG.secret"})
    settings.ENCRYPTION_KEYS = [Fernet.generate_key().decode()]
    with pytest.raises(CredentialsError, match="Enter them anew"):
        credentials.reveal(provider)
    credentials.store(provider, {"api_key": "SG.other"})
    assert credentials.reveal(provider) == {"api_key": "SG.other"}


def test_without_keys_the_secret_key_serves(provider: Provider, settings: Settings) -> None:
    settings.ENCRYPTION_KEYS = []
    credentials.store(provider, {"api_key": "SG.secret"})
    settings.SECRET_KEY = "another one"
    with pytest.raises(CredentialsError):
        credentials.reveal(provider)


def test_an_unusable_encryption_key_is_named(provider: Provider, settings: Settings) -> None:
    settings.ENCRYPTION_KEYS = ["too short"]
    with pytest.raises(CredentialsError, match="ENCRYPTION_KEYS must hold Fernet keys"):
        credentials.store(provider, {"api_key": "SG.secret"})
