"""Drafts: approved or refused by somebody, once, and checked again when they leave."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta
from datetime import time as clock

import pytest
import time_machine
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import Permission, User
from django.db import connection, transaction
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from events import privacy
from events.audit import Actor
from events.merging import merge
from events.models import AuditEntry, Event, Profile
from messaging import approval, consent, delivery, limits, tasks
from messaging.models import Message
from messaging.outbox import Draft, queue, withdraw
from messaging.reasons import Reason
from messaging.states import Sending, Status
from tests.factories import make_message, make_profile, make_provider, make_template, make_version
from tests.races.together import at_once

ANNA, BEN = Actor("anna"), Actor("ben")
LIST = "/admin/messaging/message/"
DRAFTS = f"{LIST}?status__exact=draft"


def ada() -> Profile:
    return make_profile(email="ada@example.com", traits={"email": "ada@example.com", "first_name": "Ada"})


def draft(person: Profile | None = None, **columns: object) -> Message:
    return make_message(person or ada(), Status.DRAFT, **columns)


def delivered(message: Message) -> Message:
    delivery.deliver_due(time.monotonic() + 20)
    message.refresh_from_db()
    return message


def queued(sending: Sending, number: int = 1, first: int = 0) -> list[Message]:
    person, version = ada(), make_version()
    wanted = [
        Draft(f"k{first + n}", person.pk, version.pk, "marketing", None, {}, False, timezone.now(), sending=sending)
        for n in range(number)
    ]
    return list(Message.objects.filter(pk__in=queue(wanted).values()))


@pytest.fixture
def provider() -> None:
    make_provider(is_default=True)


# --- how a message begins ---


@pytest.mark.django_db
@pytest.mark.usefixtures("provider")
def test_a_draft_is_never_claimed() -> None:
    [message] = queued(Sending.DRAFT)
    assert delivered(message).status == Status.DRAFT
    assert not Event.objects.exists()


@pytest.mark.django_db
@pytest.mark.usefixtures("provider")
def test_what_is_only_tried_out_is_skipped_with_its_reason_and_told_once() -> None:
    [message] = queued(Sending.NEVER)
    assert (message.status, message.reason) == (Status.SKIPPED, Reason.SENDS_NOTHING)
    told = Event.objects.get(name="Email Skipped")
    assert told.properties["reason"] == Reason.SENDS_NOTHING
    assert told.properties["message_id"] == str(message.public_id)
    version = message.template_version_id
    again = Draft(
        "k0", message.profile_id, version, "marketing", None, {}, False, timezone.now(), sending=Sending.NEVER
    )
    queue([again])
    assert Event.objects.count() == 1
    assert delivered(message).status == Status.SKIPPED


@pytest.mark.django_db
@pytest.mark.parametrize(("sending", "most"), [(Sending.AUTOMATIC, 2), (Sending.DRAFT, 2), (Sending.NEVER, 5)])
def test_the_number_of_statements_does_not_grow_with_the_messages(sending: Sending, most: int) -> None:
    person, version = ada(), make_version()
    wanted = [
        Draft(f"k{n}", person.pk, version.pk, "marketing", None, {}, False, timezone.now(), sending=sending)
        for n in range(200)
    ]
    for some in (wanted[:1], wanted[1:]):
        with CaptureQueriesContext(connection) as asked:
            queue(some)
        assert len(asked) == most


# --- what is decided ---


@pytest.mark.django_db
@pytest.mark.usefixtures("provider")
def test_who_approves_lets_it_go_and_stands_in_the_audit_log() -> None:
    message = draft()
    Message.objects.update(due_at=timezone.now() - timedelta(days=9))
    assert approval.approve([message.pk], ANNA) == [message.pk]
    message.refresh_from_db()
    assert (message.status, message.approved_by) == (Status.QUEUED, "anna")
    assert message.approved_at is not None and timezone.now() - message.due_at < timedelta(seconds=30), "it is not late"
    assert delivered(message).status == Status.DELIVERED
    noted = AuditEntry.objects.get(action="drafts")
    assert (noted.actor, noted.details) == ("anna", {"decision": "approved", "messages": 1})


@pytest.mark.django_db
@pytest.mark.usefixtures("provider")
def test_an_approved_mail_of_somebody_who_has_unsubscribed_meanwhile_is_skipped_with_that_reason() -> None:
    message = draft()
    consent.unsubscribe(message.profile_id, "page")
    approval.approve([message.pk], ANNA)
    assert (delivered(message).status, message.reason) == (Status.SKIPPED, Reason.UNSUBSCRIBED)


@pytest.mark.django_db
@pytest.mark.usefixtures("provider")
def test_an_approved_mail_waits_for_the_end_of_the_quiet_hours() -> None:
    limits.choose({"quiet_start": clock(20), "quiet_end": clock(8)}, ANNA)
    with time_machine.travel(datetime(2030, 3, 4, 23, tzinfo=UTC)):
        message = draft()
        assert approval.objection(message, timezone.now()).startswith(Reason.QUIET_HOURS.label)
        approval.approve([message.pk], ANNA)
        assert (delivered(message).status, message.reason) == (Status.QUEUED, Reason.QUIET_HOURS)


@pytest.mark.django_db
@pytest.mark.parametrize(("why", "detail"), [("", "By anna"), ("wrong price", "By anna: wrong price")])
def test_who_refuses_is_named_and_the_log_is_told(why: str, detail: str) -> None:
    message = draft(labels={"campaign": "welcome"})
    assert approval.refuse([message.pk], ANNA, why) == [message.pk]
    message.refresh_from_db()
    assert (message.status, message.reason, message.detail) == (Status.SKIPPED, Reason.REFUSED, detail)
    told = Event.objects.get(name="Email Skipped").properties
    assert (told["reason"], told["campaign"]) == (Reason.REFUSED, "welcome")
    assert approval.approve([message.pk], BEN) == []


@pytest.mark.django_db
@pytest.mark.parametrize("status", sorted(set(Status) - {Status.DRAFT}))
def test_only_drafts_are_decided_about(status: Status) -> None:
    message = make_message(status=status)
    assert approval.approve([message.pk], ANNA) == approval.refuse([message.pk], ANNA) == []
    message.refresh_from_db()
    assert message.status == status
    assert not AuditEntry.objects.exists()


@pytest.mark.django_db
@pytest.mark.parametrize("decide", [approval.approve, approval.refuse])
def test_deciding_costs_the_same_number_of_statements_for_any_number_of_drafts(decide: object) -> None:
    version = make_version()
    ids = [draft(make_profile(), template_version=version).pk for _ in range(40)]
    counts = []
    for some in (ids[:1], ids[1:]):
        with CaptureQueriesContext(connection) as asked:
            assert decide(some, ANNA) == some  # type: ignore[operator]
        counts.append(len(asked))
    assert counts[0] == counts[1] <= 10


@pytest.mark.django_db
def test_a_draft_that_nobody_decides_about_is_refused_by_itself() -> None:
    old, young = draft(), draft()
    Message.objects.filter(pk=old.pk).update(created_at=timezone.now() - approval.KEEP - timedelta(minutes=1))
    tasks.recover()
    old.refresh_from_db()
    young.refresh_from_db()
    assert (old.status, old.reason, old.detail) == (Status.SKIPPED, Reason.NOT_APPROVED, "within 30 days")
    assert Event.objects.get(name="Email Skipped").profile_id == old.profile_id
    assert young.status == Status.DRAFT
    assert approval.expire(timezone.now()) == 0


@pytest.mark.django_db(transaction=True)
def test_of_two_who_decide_at_the_same_instant_exactly_one_wins() -> None:
    version = make_version()
    winners = set()
    for _ in range(25):
        pk = draft(make_profile(), template_version=version).pk
        approved, refused = at_once(
            [lambda pk=pk: approval.approve([pk], ANNA), lambda pk=pk: approval.refuse([pk], BEN)]  # type: ignore[misc]
        )
        assert len(approved) + len(refused) == 1
        message = Message.objects.get(pk=pk)
        assert message.status == (Status.QUEUED if approved else Status.SKIPPED)
        assert Event.objects.filter(profile=message.profile).count() == len(refused)
        winners.add(bool(approved))
    assert AuditEntry.objects.count() == 25


@pytest.mark.django_db(transaction=True)
def test_many_decided_about_at_once_in_other_orders_block_nobody() -> None:
    version = make_version()
    ids = [draft(make_profile(), template_version=version).pk for _ in range(60)]
    approved, refused = at_once([lambda: approval.approve(ids, ANNA), lambda: approval.refuse(ids[::-1], BEN)])
    assert sorted([*approved, *refused]) == ids


# --- people who are merged or erased ---


@pytest.mark.django_db
def test_drafts_go_along_when_people_become_one_and_go_when_they_are_erased() -> None:
    loser, winner = make_profile(), make_profile()
    message = draft(loser)
    with transaction.atomic():
        merge([(loser.pk, winner.pk)])
    message.refresh_from_db()
    assert (message.profile_id, message.status) == (winner.pk, Status.DRAFT)
    privacy.erase([winner.pk], ANNA)
    assert not Message.objects.exists()


@pytest.mark.django_db
def test_a_draft_can_be_withdrawn() -> None:
    message = draft()
    withdraw([message.pk], Reason.MERGED)
    message.refresh_from_db()
    assert (message.status, message.reason) == (Status.SKIPPED, Reason.MERGED)


# --- the console ---


def viewer(*permissions: str) -> Client:
    user = User.objects.create_user("viewer", is_staff=True)
    user.user_permissions.set(Permission.objects.filter(codename__in=permissions))
    client = Client()
    client.force_login(user)
    return client


def text_of(client: Client, url: str) -> str:
    response = client.get(url)
    assert response.status_code == 200
    return response.content.decode()


def page_of(message: Message) -> str:
    return f"{LIST}{message.pk}/change/"


@pytest.mark.django_db
@pytest.mark.usefixtures("provider")
def test_the_page_shows_the_mail_as_it_would_go_out_now(admin_client: Client) -> None:
    template = make_template(html="<p>Dear {{ customer.first_name }}, {{ trigger.total }} Euro</p>")
    message = draft(template_version=make_version(template), variables={"trigger": {"total": 7}})
    text = text_of(admin_client, page_of(message))
    assert "Dear Ada, 7 Euro" in text and "Hello Ada" in text
    assert "A draft that waits for approval" in text and "Written as a draft" in text
    assert "If it were approved now" not in text
    assert not Message.objects.exclude(status=Status.DRAFT).exists()


@pytest.mark.django_db
@pytest.mark.usefixtures("provider")
def test_the_page_says_what_would_keep_it_back(admin_client: Client) -> None:
    message = draft()
    consent.unsubscribe(message.profile_id, "page")
    assert "If it were approved now: The person has unsubscribed." in text_of(admin_client, page_of(message))
    broken = draft(template_version=make_version(make_template(html="{{ customer.first_name | no_such }}")))
    assert "The template could not be rendered" in text_of(admin_client, page_of(broken))


@pytest.mark.django_db
def test_a_draft_is_approved_on_its_page(admin_client: Client) -> None:
    message = draft()
    answer = admin_client.post(f"{LIST}{message.pk}/approve/", follow=True).content.decode()
    message.refresh_from_db()
    assert (message.status, message.approved_by) == (Status.QUEUED, "admin")
    assert "Approved by admin" in answer
    assert LogEntry.objects.get().change_message == "Approved."
    assert "Nothing was done" in admin_client.post(f"{LIST}{message.pk}/refuse/", follow=True).content.decode()


@pytest.mark.django_db
def test_a_draft_is_refused_on_its_page_with_a_note(admin_client: Client) -> None:
    message = draft()
    answer = admin_client.post(f"{LIST}{message.pk}/refuse/", {"why": "too early"}, follow=True).content.decode()
    message.refresh_from_db()
    assert (message.status, message.detail) == (Status.SKIPPED, "By admin: too early")
    assert "Refused by somebody who looked at the draft" in answer and "By admin: too early" in answer
    assert LogEntry.objects.get().change_message == "Refused: too early"


@pytest.mark.django_db
@pytest.mark.parametrize("verb", ["approve", "refuse"])
def test_deciding_needs_its_own_permission_and_a_post(admin_client: Client, verb: str) -> None:
    message = draft()
    client = viewer("view_message")
    assert "you need the permission" in text_of(client, page_of(message))
    assert "Approve" not in text_of(client, DRAFTS)
    ticked = {"action": verb, "_selected_action": [message.pk], "sure": "yes"}
    client.post(DRAFTS, ticked)
    assert client.post(f"{LIST}{message.pk}/{verb}/").status_code == 403
    assert client.post(f"{LIST}drafts/decide/?status__exact=draft", {"verb": verb}).status_code == 403
    assert admin_client.get(f"{LIST}{message.pk}/{verb}/").status_code == 405
    admin_client.get(f"{LIST}drafts/decide/?status__exact=draft&verb={verb}")
    message.refresh_from_db()
    assert message.status == Status.DRAFT


@pytest.mark.django_db
def test_those_that_are_ticked_are_approved_or_refused(admin_client: Client) -> None:
    first, second, third = (draft() for _ in range(3))
    assert "Approve the chosen drafts" in text_of(admin_client, DRAFTS)
    assert "Approve the chosen drafts" not in text_of(admin_client, LIST)
    answer = admin_client.post(DRAFTS, {"action": "approve", "_selected_action": [first.pk]}, follow=True)
    assert "1 draft approved" in answer.content.decode()
    ticked = {"action": "refuse", "_selected_action": [second.pk, first.pk]}
    answer = admin_client.post(DRAFTS, ticked)
    assert "Refuse 1 draft?" in answer.content.decode(), "the other is no draft any more"
    assert (
        "1 draft refused"
        in admin_client.post(DRAFTS, {**ticked, "sure": "yes", "why": "no"}, follow=True).content.decode()
    )
    found = dict(Message.objects.values_list("pk", "status"))
    assert found == {first.pk: Status.QUEUED, second.pk: Status.SKIPPED, third.pk: Status.DRAFT}
    assert Message.objects.get(pk=second.pk).detail == "By admin: no"


@pytest.mark.django_db
def test_all_that_fit_the_filter_are_decided_about_in_few_statements(admin_client: Client) -> None:
    provider, version = make_provider("One"), make_version()
    fit = [draft(make_profile(), provider=provider, template_version=version) for _ in range(60)]
    others = [draft(provider=make_provider("Two")), make_message(provider=provider)]
    address = f"status__exact=draft&provider__id__exact={provider.pk}"
    assert "Decide about all 60 at once" in text_of(admin_client, f"{LIST}?{address}")
    with CaptureQueriesContext(connection) as asked:
        admin_client.post(f"{LIST}drafts/decide/?{address}", {"verb": "approve"})
    assert len(asked) < 30
    found = set(Message.objects.filter(status=Status.QUEUED).values_list("pk", flat=True))
    assert found == {message.pk for message in [*fit, others[1]]}
    answer = admin_client.post(
        f"{LIST}drafts/decide/?status__exact=draft", {"verb": "refuse", "why": "enough"}, follow=True
    )
    assert "1 draft refused" in answer.content.decode()
    assert Message.objects.get(pk=others[0].pk).detail == "By admin: enough"
    assert (
        "Nothing was done"
        in admin_client.post(f"{LIST}drafts/decide/", {"verb": "refuse"}, follow=True).content.decode()
    )


@pytest.mark.django_db
def test_the_home_page_says_how_many_wait(admin_client: Client) -> None:
    assert "for approval" not in text_of(admin_client, "/admin/")
    draft()
    text = text_of(admin_client, "/admin/")
    assert f'<a href="{DRAFTS}">1 mail waits for approval</a>' in text
    draft()
    assert "2 mails wait for approval" in text_of(admin_client, "/admin/")
    assert "for approval" not in text_of(viewer("view_message"), "/admin/")
