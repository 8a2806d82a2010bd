"""Whether a provider would take our mail, in clear words."""

from __future__ import annotations

import socket

import pytest

from messaging.connection import check
from messaging.models import Provider
from tests.factories import make_provider
from tests.fakes import KEY, FakePostmark, FakeSendGrid, Smtp, smtp
from tests.messaging.services import postmark_provider, sendgrid_provider, smtp_provider

pytestmark = pytest.mark.django_db


def test_the_mailbox_is_always_ready_and_the_outcome_is_stored() -> None:
    provider = make_provider()
    assert check(provider).ok
    stored = Provider.objects.get(pk=provider.pk)
    assert stored.check_ok
    assert stored.checked_at is not None
    assert "Mailbox" in stored.check_message


def test_sendgrid() -> None:
    with FakeSendGrid() as fake:
        assert check(sendgrid_provider(fake)).ok
        refused = check(sendgrid_provider(fake, key="SG.wrong"))
        assert not refused.ok
        assert "does not accept the API key" in refused.message
        assert fake.taken == []


def test_sendgrid_key_without_the_permission_to_send(monkeypatch: pytest.MonkeyPatch) -> None:
    with FakeSendGrid() as fake:
        monkeypatch.setattr(fake, "answer", lambda call: (200, {"scopes": ["alerts.read"]}, {}))
        result = check(sendgrid_provider(fake))
        assert not result.ok
        assert "Mail Send" in result.message


def test_postmark() -> None:
    with FakePostmark() as fake:
        assert check(postmark_provider(fake)).message == "Postmark accepts the token of the server “Acme live”."
        refused = check(postmark_provider(fake, token="wrong"))
        assert not refused.ok
        assert "not the account's" in refused.message


def test_smtp_connects_and_logs_in() -> None:
    with smtp(log_in=True) as server:
        assert check(smtp_provider(server, {"username": "ada", "password": KEY})).ok
        refused = check(smtp_provider(server, {"username": "ada", "password": "no"}))
        assert not refused.ok
        assert "does not accept user name and password" in refused.message
        assert server.mails == []


def test_smtp_without_the_security_that_is_asked_for() -> None:
    with smtp() as server:
        provider = smtp_provider(server)
        provider.settings["security"] = "starttls"
        result = check(provider)
        assert not result.ok
        assert "does not offer this" in result.message


def test_what_cannot_be_reached_says_where() -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        port = unused.getsockname()[1]
        fake = FakeSendGrid()
        fake.url = f"http://127.0.0.1:{port}/v3/"
        for provider in (sendgrid_provider(fake), smtp_provider(Smtp(port=port))):
            result = check(provider)
            assert not result.ok
            assert "No connection to" in result.message


def test_missing_parts_are_named() -> None:
    assert check(make_provider(kind="sendgrid")).message == "Enter the API key first."
    assert check(make_provider(kind="smtp")).message == "Enter the host name of the SMTP server first."


def test_an_environment_variable_that_is_not_set_is_named() -> None:
    with FakeSendGrid() as fake:
        result = check(sendgrid_provider(fake, key="$NO_SUCH_VARIABLE"))
    assert result.message == "The environment variable NO_SUCH_VARIABLE is not set."
