"""What reports do to messages, people and addresses, whatever way they come."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import permutations
from typing import Any
from uuid import uuid4

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from events.models import Event
from messaging.feedback import Report, record
from messaging.models import DeliveryEvent, Message, Suppression, Unsubscription
from messaging.reasons import Reason
from messaging.states import Status
from tests.factories import make_message, make_profile

pytestmark = pytest.mark.django_db
NOW = datetime(2026, 3, 2, 12, tzinfo=UTC)


@pytest.fixture
def message() -> Message:
    return make_message(status=Status.SENT, address="ada@example.com", provider_message_id="p-1", sent_at=NOW)


def report(message: Message, kind: str, key: str = "", after: int = 0, **details: Any) -> Report:
    return Report(
        kind,
        key or f"test:{uuid4()}",
        NOW + timedelta(seconds=after),
        message_public_id=str(message.public_id),
        **details,
    )


def status(message: Message) -> str:
    message.refresh_from_db()
    return message.status


def news(message: Message) -> list[str]:
    return list(Event.objects.filter(profile=message.profile_id).order_by("id").values_list("name", flat=True))


def test_a_report_is_kept_moves_the_status_and_reaches_campaigns(message: Message) -> None:
    words: dict[str, Any] = {"description": "Accepted", "mta_response": "250 OK", "user_agent": "x", "raw": {"a": 1}}
    assert record([report(message, "delivered", "test:1", **words)]) == 1
    stored = DeliveryEvent.objects.get()
    assert (stored.type, stored.timestamp, stored.description, stored.mta_response) == (
        "delivered",
        NOW,
        "Accepted",
        "250 OK",
    )
    assert (stored.event_key, stored.raw) == ("test:1", {"a": 1})
    assert status(message) == Status.DELIVERED
    event = Event.objects.get(profile=message.profile_id)
    assert (event.name, event.timestamp, event.source) == ("Email Delivered", NOW, None)
    assert event.properties == {"message_id": str(message.public_id), "channel": "email", "first": True}


def test_the_same_report_again_counts_once(message: Message) -> None:
    for _ in range(2):
        record([report(message, "opened", "test:1"), report(message, "opened", "test:1")])
    assert DeliveryEvent.objects.count() == 1
    assert news(message) == ["Email Opened"]


def test_a_second_opening_is_kept_but_no_news(message: Message) -> None:
    record([report(message, "opened"), report(message, "opened", after=1)])
    record([report(message, "opened", after=2)])
    assert DeliveryEvent.objects.count() == 3
    assert news(message) == ["Email Opened"]


def test_a_click_is_news_once_a_link(message: Message) -> None:
    record([report(message, "clicked", url="https://a.example/")])
    record([report(message, "clicked", url=url, after=1) for url in ("https://a.example/", "https://b.example/")])
    clicks = Event.objects.filter(name="Email Clicked").order_by("id").values_list("properties", flat=True)
    assert [(click["url"], click["first"]) for click in clicks] == [
        ("https://a.example/", True),
        ("https://b.example/", False),
    ]


def test_the_order_of_reports_does_not_matter() -> None:
    kinds = ["delivered", "opened", "clicked", "complained"]
    ends = set()
    for order in permutations(kinds):
        message = make_message(status=Status.SENT)
        for kind in order:
            record([report(message, kind, after=kinds.index(kind))])
        ends.add((status(message), tuple(sorted(news(message)))))
    assert len(ends) == 1


def test_the_message_is_found_by_the_providers_id_as_well(message: Message) -> None:
    for kind, name in (("delivered", "p-1"), ("opened", str(message.public_id)), ("clicked", message.public_id.hex)):
        assert record([Report(kind, f"test:{kind}", NOW, provider_message_id=name)]) == 1
    assert status(message) == Status.CLICKED


def test_our_own_id_goes_before_the_providers(message: Message) -> None:
    other = make_message(status=Status.SENT)
    record([report(message, "delivered", provider_message_id=str(other.public_id))])
    assert (status(message), status(other)) == (Status.DELIVERED, Status.SENT)


def test_reports_about_unknown_messages_hide_no_others(message: Message) -> None:
    reports = [
        Report("delivered", "test:1", NOW, message_public_id=str(uuid4())),
        Report("delivered", "test:2", NOW, message_public_id="nonsense\0", provider_message_id="\0"),
        Report("delivered", "test:3", NOW),
        report(message, "delivered", "test:4"),
    ]
    assert record(reports) == 1
    assert status(message) == Status.DELIVERED
    assert record(reports[:3]) == 0


@pytest.mark.parametrize("kind", ["queued", "deferred", "sent", "autoresponded"])
def test_a_report_that_says_little_still_proves_that_the_provider_has_it(kind: str) -> None:
    message = make_message(status=Status.UNKNOWN, reason=Reason.OUTCOME_UNKNOWN, called_at=NOW)
    record([report(message, kind, after=9)])
    assert status(message) == Status.SENT
    assert (message.reason, message.sent_at) == ("", NOW)
    assert news(message) == ["Email Sent"]


@pytest.mark.parametrize("kind", ["unknown", "subscribed", "inbound"])
def test_what_is_not_about_the_message_moves_nothing(message: Message, kind: str) -> None:
    assert record([report(message, kind)]) == 1
    assert status(message) == Status.SENT
    assert news(message) == []


@pytest.mark.parametrize("held", [Status.SENDING, Status.UNKNOWN, Status.QUEUED, Status.FAILED])
def test_evidence_settles_what_was_in_doubt(held: str) -> None:
    message = make_message(status=held, lease_until=NOW, called_at=NOW, address="ada@example.com")
    record([report(message, "opened", after=2), report(message, "delivered", after=1)])
    assert status(message) == Status.OPENED
    assert message.lease_until is None
    assert news(message) == ["Email Sent", "Email Delivered", "Email Opened"]


def test_a_hard_bounce_strikes_the_address_off_and_keeps_the_words(message: Message) -> None:
    words = "550 5.1.1 no such user"
    record([report(message, "bounced", reason="bounced", hard=True, mta_response=words)])
    struck = Suppression.objects.get()
    assert (struck.address, struck.cause, struck.detail) == ("ada@example.com", "bounce", words)
    assert struck.message == message
    assert status(message) == Status.BOUNCED
    assert Event.objects.get(name="Email Bounced").properties["reason"] == "bounced"


def test_a_soft_bounce_does_not(message: Message) -> None:
    record([report(message, "bounced", reason="blocked")])
    assert status(message) == Status.BOUNCED
    assert not Suppression.objects.exists()


def test_a_complaint_strikes_the_address_off(message: Message) -> None:
    Message.objects.update(address="Ada@Example.com")
    record([report(message, "complained")])
    assert Suppression.objects.get().address == "ada@example.com"
    assert Suppression.objects.get().cause == Suppression.Cause.COMPLAINT


def test_who_unsubscribes_at_the_provider_has_left(message: Message) -> None:
    record([report(message, "unsubscribed")])
    left = Unsubscription.objects.get()
    assert (left.profile, left.method, left.message) == (message.profile, "provider", message)
    assert news(message) == ["Email Unsubscribed"]


def test_a_test_message_is_nobodys_history() -> None:
    message = make_message(status=Status.SENT, key="test:1", address="author@acme.example")
    record([report(message, "delivered"), report(message, "opened"), report(message, "unsubscribed")])
    assert status(message) == Status.UNSUBSCRIBED
    assert news(message) == []
    assert not Unsubscription.objects.exists()


def test_odd_characters_are_kept_out_of_the_database(message: Message) -> None:
    assert record([report(message, "bounced", mta_response="a\0b\ud800", raw={"\0": "\0"})]) == 1
    assert "\0" not in DeliveryEvent.objects.get().mta_response


def test_the_number_of_statements_does_not_grow_with_the_reports() -> None:
    counts = []
    for size in (1, 100):
        messages = [make_message(make_profile(), status=Status.SENT, address=f"p{n}@example.com") for n in range(size)]
        reports = [
            report(message, kind, hard=kind == "bounced")
            for message in messages
            for kind in ("delivered", "opened", "bounced", "unsubscribed")
        ]
        with CaptureQueriesContext(connection) as statements:
            assert record(reports) == size * 4
        counts.append(len(statements))
    assert counts[0] == counts[1] <= 16
