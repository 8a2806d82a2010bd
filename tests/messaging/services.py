"""Providers that lead to the fake services."""

from __future__ import annotations

from typing import Any

from messaging import credentials
from messaging.models import Provider
from tests.factories import make_provider
from tests.fakes import FakePostmark, FakeSendGrid, Smtp


def sendgrid_provider(fake: FakeSendGrid, key: str = "SG.good", **columns: Any) -> Provider:
    return _provider(Provider.Kind.SENDGRID, {"api_key": key}, {"api_url": fake.url}, columns)


def postmark_provider(fake: FakePostmark, token: str = "good", **columns: Any) -> Provider:
    settings = {"api_url": fake.url, **columns.pop("settings", {})}
    return _provider(Provider.Kind.POSTMARK, {"server_token": token}, settings, columns)


def smtp_provider(fake: Smtp, secrets: dict[str, str] | None = None, **columns: Any) -> Provider:
    settings = {"host": "127.0.0.1", "port": fake.port, "security": "none"}
    return _provider(Provider.Kind.SMTP, secrets or {}, settings, columns)


def _provider(kind: str, secrets: dict[str, str], settings: dict[str, Any], columns: dict[str, Any]) -> Provider:
    provider = make_provider(kind=kind, settings=settings, **columns)
    credentials.store(provider, secrets)
    provider.save()
    return provider
