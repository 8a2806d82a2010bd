"""Every mail service takes all that our mails say: what it cannot be told would make it refuse them all."""

from __future__ import annotations

from typing import Any
from uuid import uuid4

import pytest

from messaging import credentials
from messaging.channels.base import Mail
from messaging.channels.email import Service
from messaging.kinds import KINDS
from tests.factories import make_provider

pytestmark = pytest.mark.django_db
SETTINGS = {"sender_domain": "acme.example", "project_id": "p", "api_url": "http://127.0.0.1:9/"}
# Amazon's needs a package that is not installed by itself.
SERVICES = [name for name, kind in KINDS.items() if kind.opens.endswith("email.Service") and name != "amazon_ses"]


def payload(kind: str, *, tracked: bool) -> Any:
    """Return what would be posted for a mail."""
    provider = make_provider(kind=kind, settings=SETTINGS)
    credentials.store(provider, dict.fromkeys(KINDS[kind].secrets, "secret"))
    service = Service(provider)
    mail = Mail(
        public_id=uuid4(),
        address="ada@example.com",
        from_email="Acme <hello@acme.example>",
        reply_to="help@acme.example",
        subject="News",
        html="<p>News</p>",
        text="News",
        headers={"List-Unsubscribe": "<https://acme.example/u>", "List-Unsubscribe-Post": "List-Unsubscribe=One-Click"},
        tracked=tracked,
    )
    backend: Any = service.backend
    return backend.build_message_payload(service.message(mail), {})


@pytest.mark.parametrize("tracked", [True, False])
@pytest.mark.parametrize("kind", SERVICES)
def test_each_service_can_say_all_that_a_mail_says(kind: str, tracked: bool) -> None:
    assert "List-Unsubscribe" in str(payload(kind, tracked=tracked).serialize_data())


def test_who_is_not_to_be_tracked_is_not_by_services_that_can_be_told() -> None:
    told = str(payload("sendgrid", tracked=False).serialize_data())
    assert '"open_tracking": {"enable": false}' in told and '"click_tracking": {"enable": false}' in told
    assert '"TrackOpens": false' in str(payload("postmark", tracked=False).serialize_data())
