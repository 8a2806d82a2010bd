"""From a due message to a mail at the provider, and what is on record afterwards."""

from __future__ import annotations

import time
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
import time_machine
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from events import nudges
from events.models import Event, Profile
from messaging import claims, composing, consent, credentials, delivery, sending
from messaging.channels import email
from messaging.models import TEST_KEY, Message, MessageBody, Suppression
from messaging.reasons import Reason
from messaging.states import Status
from tests.factories import make_message, make_profile, make_provider, make_template, make_version
from tests.fakes import FakeSendGrid, Mishap
from tests.messaging.services import sendgrid_provider

pytestmark = pytest.mark.django_db


@pytest.fixture
def sendgrid() -> Iterator[FakeSendGrid]:
    with FakeSendGrid() as fake:
        yield fake


@pytest.fixture
def ada() -> Profile:
    return make_profile(traits={"email": "ada@example.com", "first_name": "Ada"})


def deliver() -> int:
    return delivery.deliver_due(time.monotonic() + 20)


def delivered(message: Message) -> Message:
    deliver()
    message.refresh_from_db()
    return message


def events(profile: Profile) -> list[tuple[str, dict[str, Any]]]:
    return list(Event.objects.filter(profile=profile).order_by("id").values_list("name", "properties"))


def test_the_mailbox_takes_a_mail_and_reports_it_at_once(ada: Profile) -> None:
    make_provider(is_default=True)
    message = delivered(make_message(ada))
    assert (message.status, message.address, message.subject) == (Status.DELIVERED, "ada@example.com", "Hello Ada")
    assert message.provider is not None
    assert message.provider.kind == "mailbox"
    assert message.sent_at is not None
    assert message.lease_until is None
    body = MessageBody.objects.get(message=message)
    assert "<p>Hello Ada</p>" in body.html
    assert "Unsubscribe: http" in body.text
    assert body.from_email == "Acme <hello@acme.example>"
    assert [name for name, _ in events(ada)] == ["Email Sent", "Email Delivered"]
    assert events(ada)[0][1] == {"message_id": str(message.public_id), "channel": "email", "subject": "Hello Ada"}


def test_a_marketing_mail_has_the_headers_of_rfc_8058_and_a_receipt_has_not(ada: Profile) -> None:
    make_provider(is_default=True)
    marketing, receipt = make_message(ada), make_message(ada, purpose="transactional")
    deliver()
    headers = MessageBody.objects.get(message=marketing).headers
    assert headers["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
    assert headers["List-Unsubscribe"].startswith("<http")
    assert headers["Message-ID"] == f"<{marketing.public_id}@acme.example>"
    body = MessageBody.objects.get(message=receipt)
    assert set(body.headers) == {"Message-ID"}
    assert "nsubscribe" not in body.html + body.text


def test_the_mailboxs_own_tracking_is_in_its_mails_only(ada: Profile, sendgrid: FakeSendGrid) -> None:
    version = make_version(make_template(html='<a href="https://acme.example/">Go</a>'))
    own = make_message(ada, template_version=version, provider=make_provider())
    deliver()
    html = MessageBody.objects.get(message=own).html
    assert "/m/c/" in html
    assert "/m/o/" in html
    make_message(ada, template_version=version, provider=sendgrid_provider(sendgrid))
    deliver()
    content = str(sendgrid.taken[0].body["content"])
    assert 'href="https://acme.example/"' in content
    assert "/m/o/" not in content


def test_a_mail_goes_out_over_a_provider(ada: Profile, sendgrid: FakeSendGrid) -> None:
    provider = sendgrid_provider(sendgrid)
    message = delivered(make_message(ada, provider=provider))
    assert sendgrid.message_ids() == [str(message.public_id)]
    assert (message.status, message.provider) == (Status.SENT, provider)
    custom = sendgrid.taken[0].body["personalizations"][0]["custom_args"]
    assert message.provider_message_id == custom["anymail_id"]
    assert [name for name, _ in events(ada)] == ["Email Sent"]


def test_what_is_not_due_waits(ada: Profile) -> None:
    make_provider(is_default=True)
    make_message(ada, due_at=timezone.now() + timedelta(minutes=1))
    assert deliver() == 0
    with time_machine.travel(timezone.now() + timedelta(minutes=2)):
        assert deliver() == 1


def test_template_variables(ada: Profile) -> None:
    make_provider(is_default=True)
    template = make_template(
        subject="{{ trigger.plan }} {{ event.plan }} {{ customer.user_id }} {{ customer.email }} {{ campaign.name }}"
    )
    known = {"trigger": {"plan": "Pro"}, "campaign": {"name": "Welcome"}}
    message = delivered(make_message(ada, template_version=make_version(template), variables=known))
    assert message.subject == f"Pro Pro {ada.user_id} ada@example.com Welcome"


def test_a_changed_address_and_name_count_as_they_are_now(ada: Profile) -> None:
    make_provider(is_default=True)
    message = make_message(ada)
    Profile.objects.filter(pk=ada.pk).update(email="new@example.com", traits={"first_name": "Augusta"})
    message = delivered(message)
    assert (message.address, message.subject) == ("new@example.com", "Hello Augusta")


def skipped(message: Message, reason: Reason) -> None:
    message = delivered(message)
    assert (message.status, message.reason) == (Status.SKIPPED, reason)
    assert message.sent_at is None
    properties = {"message_id": str(message.public_id), "channel": "email", "reason": reason}
    assert ("Email Skipped", properties) in events(message.profile)


def test_a_suppressed_address_stops_a_queued_message(ada: Profile) -> None:
    make_provider(is_default=True)
    message = make_message(ada)
    consent.suppress("ADA@example.com ", Suppression.Cause.BOUNCE)
    skipped(message, Reason.SUPPRESSED)


def test_who_has_left_gets_no_marketing_that_was_queued_but_receipts(ada: Profile) -> None:
    make_provider(is_default=True)
    marketing, receipt = make_message(ada), make_message(ada, purpose="transactional")
    consent.unsubscribe(ada.pk, "manual")
    skipped(marketing, Reason.UNSUBSCRIBED)
    receipt.refresh_from_db()
    assert receipt.status == Status.DELIVERED


def test_nobody_without_an_address_is_written_to() -> None:
    make_provider(is_default=True)
    skipped(make_message(make_profile()), Reason.NO_ADDRESS)
    skipped(make_message(make_profile(email="not an address")), Reason.BAD_ADDRESS)


def test_without_a_provider_nothing_goes(ada: Profile) -> None:
    skipped(make_message(ada), Reason.NO_PROVIDER)
    skipped(make_message(ada, provider=make_provider(enabled=False)), Reason.PROVIDER_DISABLED)


def test_a_template_error_fails_one_message_and_shows_itself(ada: Profile) -> None:
    make_provider(is_default=True)
    broken = make_version(make_template(html="<p>\n{{ 1 | divided_by: 0 }}</p>"))
    bad, good = make_message(ada, template_version=broken), make_message(ada)
    bad = delivered(bad)
    assert (bad.status, bad.reason) == (Status.FAILED, Reason.TEMPLATE_ERROR)
    assert bad.detail == "html, line 2: divided_by: can't divide by 0"
    good.refresh_from_db()
    assert good.status == Status.DELIVERED
    assert (
        "Email Failed",
        {"message_id": str(bad.public_id), "channel": "email", "reason": "template_error"},
    ) in events(ada)


def test_a_message_that_cannot_even_be_written_does_not_hold_up_the_others(
    ada: Profile, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_provider(is_default=True)
    odd, good = make_message(ada), make_message(ada)
    write = composing.write

    def write_all_but_one(message: Message, *args: Any) -> Any:
        if message == odd:
            raise RuntimeError("a mistake of ours")
        return write(message, *args)

    monkeypatch.setattr(composing, "write", write_all_but_one)
    odd = delivered(odd)
    assert (odd.status, odd.reason) == (Status.FAILED, Reason.TEMPLATE_ERROR)
    assert "a mistake of ours" in odd.detail
    good.refresh_from_db()
    assert good.status == Status.DELIVERED


def test_a_refusal_fails_with_the_providers_words(sendgrid: FakeSendGrid) -> None:
    profile = make_profile(email="refused@example.com")
    message = delivered(make_message(profile, provider=sendgrid_provider(sendgrid)))
    assert (message.status, message.reason) == (Status.FAILED, Reason.PROVIDER_REFUSED)
    assert "Does not contain a valid address" in message.detail
    assert message.sent_at is None


def test_trouble_of_the_provider_is_tried_again_later_and_sent_once(ada: Profile, sendgrid: FakeSendGrid) -> None:
    sendgrid.mishaps.extend([Mishap(503), Mishap(429)])
    message = make_message(ada, provider=sendgrid_provider(sendgrid))
    for attempts, wait in ((1, 5), (2, 10)):
        now = timezone.now()
        message = delivered(message)
        assert (message.status, message.attempts, message.reason) == (Status.QUEUED, attempts, "")
        assert timedelta(seconds=wait * 0.7) < message.due_at - now < timedelta(seconds=wait * 1.3 + 1)
        assert message.detail
        Message.objects.update(due_at=now)
    message = delivered(message)
    assert (message.status, message.attempts, message.detail) == (Status.SENT, 3, "")
    assert sendgrid.message_ids() == [str(message.public_id)]
    assert [name for name, _ in events(ada)] == ["Email Sent"]


def test_in_doubt_marketing_stays_unknown_and_a_receipt_is_sent_again(
    ada: Profile, sendgrid: FakeSendGrid, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(email, "TIMEOUT", (1.0, 0.2))
    provider = sendgrid_provider(sendgrid)
    marketing, receipt = (
        make_message(ada, provider=provider),
        make_message(ada, provider=provider, purpose="transactional"),
    )
    sendgrid.mishaps.extend([Mishap(seconds=0.6, takes=True), Mishap(seconds=0.6, takes=True)])
    deliver()
    marketing.refresh_from_db()
    receipt.refresh_from_db()
    assert (marketing.status, marketing.reason) == (Status.UNKNOWN, Reason.OUTCOME_UNKNOWN)
    assert receipt.status == Status.QUEUED


@pytest.mark.parametrize("kind", ["mailbox", "sendgrid"])
def test_the_number_of_statements_does_not_grow_with_the_batch(sendgrid: FakeSendGrid, kind: str) -> None:
    provider = make_provider() if kind == "mailbox" else sendgrid_provider(sendgrid)
    version = make_version()
    counts = []
    for size in (1, delivery.BATCH - 1):
        for number in range(size):
            profile = make_profile(email=f"p{number}@example.com")
            make_message(profile, provider=provider, template_version=version)
        # The second claim, which finds nothing, is one more.
        with CaptureQueriesContext(connection) as statements:
            assert deliver() == size
        counts.append(len(statements))
    assert counts[0] == counts[1]
    assert counts[0] <= 36


def test_nothing_is_sent_within_a_transaction(sendgrid: FakeSendGrid, ada: Profile) -> None:
    """The claim and the note of the call come before the call, and everything else after it."""
    make_message(ada, provider=sendgrid_provider(sendgrid))
    order: list[str] = []
    answer = sendgrid.answer
    sendgrid.answer = lambda call: (order.append("call"), answer(call))[1]  # type: ignore[method-assign,func-returns-value]

    def note(execute: Any, sql: str, *args: Any) -> Any:
        order.append(" ".join(sql.split()[:3]))
        return execute(sql, *args)

    with connection.execute_wrapper(note):
        deliver()
    before = order[: order.index("call")]
    assert before[0].startswith("WITH picked")
    assert before[-1] == "UPDATE messaging_message m"
    assert not [statement for statement in before if statement.startswith(("SAVEPOINT", "BEGIN"))]


def test_who_leaves_between_the_claim_and_the_call_is_not_written_to(
    ada: Profile, sendgrid: FakeSendGrid, monkeypatch: pytest.MonkeyPatch
) -> None:
    bob = make_profile(email="bob@example.com")
    provider = sendgrid_provider(sendgrid)
    left, struck = make_message(ada, provider=provider), make_message(bob, provider=provider)
    call = claims.call

    def call_late(*args: Any) -> set[int]:
        consent.unsubscribe(ada.pk, "manual")
        consent.suppress("bob@example.com")
        return call(*args)

    monkeypatch.setattr(claims, "call", call_late)
    deliver()
    left.refresh_from_db()
    struck.refresh_from_db()
    assert sendgrid.taken == []
    assert (left.status, left.reason) == (Status.SKIPPED, Reason.UNSUBSCRIBED)
    assert (struck.status, struck.reason) == (Status.SKIPPED, Reason.SUPPRESSED)


def test_a_worker_that_lost_its_lease_does_not_call(
    ada: Profile, sendgrid: FakeSendGrid, monkeypatch: pytest.MonkeyPatch
) -> None:
    message = make_message(ada, provider=sendgrid_provider(sendgrid))
    look = composing.look

    def look_long(*args: Any) -> Any:
        # Meanwhile the lease ended, and the message was claimed anew.
        Message.objects.update(lease_until=timezone.now() + timedelta(seconds=7))
        return look(*args)

    monkeypatch.setattr(delivery, "look", look_long)
    deliver()
    message.refresh_from_db()
    assert sendgrid.taken == []
    assert message.status == Status.SENDING


def test_a_test_goes_to_its_own_address_and_into_nobodys_history(ada: Profile) -> None:
    make_provider(is_default=True)
    consent.unsubscribe(ada.pk, "manual")
    key = f"{TEST_KEY}1"
    message = delivered(make_message(ada, key=key, address="author@acme.example", is_test=True))
    assert (message.status, message.address) == (Status.DELIVERED, "author@acme.example")
    assert [name for name, _ in events(ada)] == ["Email Unsubscribed"]


def test_a_wrong_key_loses_nothing_and_a_changed_one_is_used_at_once(ada: Profile, sendgrid: FakeSendGrid) -> None:
    provider = sendgrid_provider(sendgrid, key="SG.wrong")
    first = delivered(make_message(ada, provider=provider))
    assert (first.status, first.sent_at) == (Status.QUEUED, None)
    assert first.due_at > timezone.now()
    assert "authorization grant is invalid" in first.detail
    credentials.store(provider, {"api_key": "SG.good"})
    provider.save()
    assert delivered(make_message(ada, provider=provider)).status == Status.SENT


@pytest.mark.parametrize(("idle_seconds", "connections"), [(60.0, 1), (-1.0, 2)])
def test_a_connection_is_kept_between_mails_but_not_when_it_was_idle(
    ada: Profile, sendgrid: FakeSendGrid, monkeypatch: pytest.MonkeyPatch, idle_seconds: float, connections: int
) -> None:
    monkeypatch.setattr(sending, "IDLE_SECONDS", idle_seconds)
    provider = sendgrid_provider(sendgrid)
    for _ in range(2):
        delivered(make_message(ada, provider=provider))
    assert len({call.connection for call in sendgrid.calls}) == connections


def test_stops_at_its_deadline(ada: Profile) -> None:
    make_provider(is_default=True)
    make_message(ada)
    assert delivery.deliver_due(time.monotonic() - 1) == 0


def test_recovery_wakes_a_worker_for_what_is_queued_again(
    ada: Profile, monkeypatch: pytest.MonkeyPatch, django_capture_on_commit_callbacks: Any
) -> None:
    sent: list[str] = []
    monkeypatch.setattr(nudges, "_send", sent.append)
    make_message(ada, status=Status.SENDING, lease_until=timezone.now() - timedelta(seconds=1))
    with django_capture_on_commit_callbacks(execute=True):
        assert delivery.recover(timezone.now()) == 1
    assert sent == ["messages"]
