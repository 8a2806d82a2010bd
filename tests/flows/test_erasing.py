"""A person with traces in every room is erased: nothing of them is left, and what was counted stays counted."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import User
from django.contrib.contenttypes.models import ContentType
from django.db import connection
from django.utils import timezone

from campaigns import metrics
from campaigns.models import Decision, Journey, Visit, Waiting
from events import audit, counts, log, privacy, traces
from events.audit import Actor
from events.models import (
    AuditEntry,
    Device,
    Erasure,
    Event,
    EventDefinition,
    Group,
    ImportFailure,
    InboundRequest,
    Membership,
    Profile,
    PropertyStat,
    Violation,
)
from events.models.transfers import Import
from messaging import composing, consent, delivery, feedback, permission
from messaging.models import (
    DeliveryEvent,
    Message,
    MessageBody,
    Suppression,
    TrackingRefusal,
    Unsubscription,
)
from messaging.permission import Given
from messaging.reasons import Reason
from messaging.states import Status
from tests import dump
from tests.campaigns import flow
from tests.factories import make_key, make_message, make_profile, make_source
from tests.tracking import send

pytestmark = pytest.mark.django_db
ACTOR = Actor("test")
# Each is somewhere of its own; together they are all there is about her.
IDS = ("marker-user/ä", "marker-anon", "Marker.Mail@Example.com")
MARKERS = ("marker", "mark\\u0065r")
PLACES = {
    "campaigns_journey",
    "django_admin_log",
    "events_device",
    "events_event",
    "events_identity",
    "events_importfailure",
    "events_inboundrequest",
    "events_membership",
    "events_pending",
    "events_profile",
    "events_propertystat",
    "events_violation",
    "messaging_consent",
    "messaging_deliveryevent",
    "messaging_message",
    "messaging_messagebody",
    "messaging_suppression",
}


@pytest.fixture
def key() -> Iterator[str]:
    yield make_key()


def work() -> None:
    for _ in range(3):
        flow.settle()
        delivery.deliver_due(time.monotonic() + 20)


def live_through_everything(key: str) -> Profile:
    """Let her be identified, enter two campaigns, get, open and click a mail, and leave traces as text."""
    traits = {"email": IDS[2], "name": "Marker Name", "phone": "+43 marker"}
    context = {"ip": "marker-ip", "userAgent": "marker-agent"}
    ids = {"userId": IDS[0], "anonymousId": IDS[1]}
    send("track", {"anonymousId": IDS[1], "event": "Viewed", "properties": {"note": "marker-view"}}, key)
    send("identify", {**ids, "traits": traits, "context": context}, key, User_Agent="marker-browser")
    send("batch", {"batch": [{"type": "track", "event": "Signed Up", "properties": {"n": "marker-n"}, **ids}]}, key)
    send("track", {**ids, "properties": {"event": "marker-refused"}}, key)
    send("track", json.dumps({"userId": IDS[0]}).encode()[:-1], key)
    send(
        "batch", {"batch": [{"userId": IDS[0], "type": "none"}, {"userId": "bob", "type": "track", "event": "Hi"}]}, key
    )
    work()
    profile = Profile.objects.get(user_id=IDS[0])
    Device.objects.create(profile=profile, device_id="marker-device", attributes={"a": "marker"})
    Membership.objects.create(profile=profile, group=Group.objects.create(key="acme"), traits={"role": "marker-role"})
    definition = EventDefinition.objects.create(name="Signed Up")
    PropertyStat.objects.create(
        definition=definition, path="n", examples=["marker-n"], types={"string": 1}, last_seen_at=timezone.now()
    )
    Violation.objects.create(name="Signed Up", message="wrong", sample={"userId": IDS[0]})
    upload = Import.objects.create(source=make_source(), kind="profiles", format="csv", file_name="people.csv")
    ImportFailure.objects.create(upload=upload, row=1, message="wrong", raw=f"{IDS[2]},x")
    for model, pk, repr_ in ((Profile, profile.pk, IDS[0]), (Suppression, 1, IDS[2].lower())):
        LogEntry.objects.create(
            user=User.objects.create_user(f"u{pk}-{model.__name__}"),
            content_type=ContentType.objects.get_for_model(model),
            object_id=str(pk),
            object_repr=repr_,
            action_flag=2,
            change_message="Changed",
        )
    message = Message.objects.filter(profile=profile).first()
    assert message is not None
    report = {"message_public_id": str(message.public_id), "user_agent": "marker-reader", "raw": {"email": IDS[2]}}
    feedback.record([feedback.Report("clicked", "c", timezone.now(), url="https://x/?marker", **report)])
    consent.suppress(IDS[2], detail="550 unknown: marker")
    permission.note([Given(profile.pk, "express", "page", detail="Ticked by marker")])
    permission.track(profile.pk, False, "page")
    work()
    parked = flow.happens(profile, "Marker Seen")
    log.park(parked, "ValueError: marker")
    return profile


def figures() -> Any:
    while counts.fold() == counts.FOLD_LIMIT:
        pass
    metrics.fold()
    return (
        metrics.of_campaigns((timezone.now() - timedelta(days=2)).date()),
        counts.per_hour(None, timezone.now() - timedelta(days=1)),
    )


def test_nothing_is_left_of_an_erased_person_and_the_figures_stay(key: str, caplog: pytest.LogCaptureFixture) -> None:
    flow.make_template(html="<p>{{ customer.name }}</p>")
    flow.make_campaign()
    flow.make_campaign(flow.delay(), flow.send(), goal={"event": "Order Completed", "hours": 24})
    flow.make_campaign(event="Viewed", trigger={"event": "Viewed", "where": {"trait": "plan", "is": "x"}})
    profile = live_through_everything(key)
    bob = make_profile("bob2", traits={"email": "bob@example.com"})
    flow.happens(bob)
    work()
    before = figures()
    kept = [model.objects.count() for model in (Journey, Visit, Message, Event)]
    assert Decision.objects.filter(profile=profile).count() == 3
    assert {table.removesuffix(f"_{timezone.now():%Y_%m}") for table in dump.places_of(*MARKERS)} == PLACES
    caplog.clear()

    erased = privacy.erase([profile.pk], ACTOR)
    traces.search()

    assert erased.people == 1 and erased.events >= 6
    assert dump.places_of(*MARKERS) == {}
    assert "marker" not in caplog.text.lower()
    assert figures() == before
    assert not any(
        model.objects.filter(**{path: profile.pk}).exists()
        for model, path in (
            (Journey, "profile"),
            (Decision, "profile"),
            (Message, "profile"),
            (MessageBody, "message__profile"),
            (DeliveryEvent, "message__profile"),
            (TrackingRefusal, "profile"),
            (Event, "profile"),
        )
    )
    left = [model.objects.count() for model in (Journey, Visit, Message, Event)]
    assert all(0 < now < then for now, then in zip(left, kept, strict=True)), "Bob's are still there"
    assert Message.objects.filter(profile=bob, status=Status.DELIVERED).exists()
    entry = AuditEntry.objects.get()
    assert (entry.actor, entry.action, entry.profile_id) == ("test", "erase", None)
    assert entry.pseudonym == audit.pseudonym(profile.pk) != str(profile.pk)
    assert entry.details == {"events": erased.events}


def test_every_table_that_leads_to_a_person_is_known_to_whoever_erases() -> None:
    """A new one makes this fail until its rows go with the person (``profiles_erased``) and are in the export."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT relname FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid"
            " WHERE a.attname = 'profile_id' AND c.relkind IN ('r', 'p') AND NOT c.relispartition"
            " AND c.relnamespace = 'public'::regnamespace"
        )
        assert {name for (name,) in cursor.fetchall()} == {
            "campaigns_dateturn",
            "campaigns_decision",
            "campaigns_journey",
            "campaigns_parked",
            "campaigns_putoff",
            "campaigns_waiting",
            "events_auditentry",
            "events_computedvalue",
            "events_device",
            "events_event",
            "events_identity",
            "events_importperson",
            "events_membership",
            "events_pending",
            "events_segmentmember",
            "events_segmentturn",
            "messaging_consent",
            "messaging_message",
            "messaging_subscription",
            "messaging_trackingrefusal",
            "messaging_unsubscription",
        }


def test_who_is_erased_while_an_event_waits_for_traits_leaves_nothing_waiting(key: str) -> None:
    flow.make_campaign(trigger={"event": "Viewed", "where": {"trait": "plan", "is": "pro"}})
    send("track", {"userId": "ada", "event": "Viewed"}, key)
    work()
    profile = Profile.objects.get()
    assert Waiting.objects.filter(profile=profile).exists()
    privacy.erase([profile.pk], ACTOR)
    assert not Waiting.objects.exists() and not Decision.objects.exists()
    send("identify", {"userId": "ada", "traits": {"plan": "pro"}}, key)
    work()
    assert not Journey.objects.exists(), "who comes back is somebody new"


def test_a_person_can_come_back_as_somebody_new_unless_suppressed(key: str) -> None:
    profile = make_profile("ada")
    privacy.erase([profile.pk], ACTOR)
    send("track", {"userId": "ada", "event": "Hi"}, key)
    again = Profile.objects.get(user_id="ada")
    assert again.pk != profile.pk
    privacy.erase([again.pk], ACTOR, suppress=True)
    send("track", {"userId": "ada", "event": "Hi"}, key)
    assert not Profile.objects.exists()


@pytest.mark.parametrize("word", ["42", "ada", "ada_1%", "ä/b", 'q"uote', "ada@example.com", "a-long-identifier"])
def test_what_is_kept_as_text_is_found_by_the_whole_id_only(key: str, word: str) -> None:
    other = f"x{word}x" if "@" not in word and len(word) < 12 else "somebody else"
    bodies = [json.dumps({"userId": word}), json.dumps({"userId": word}, ensure_ascii=False), json.dumps([word, 1])]
    if word.isdecimal():
        bodies += [f'{{"userId":{word}}}', f'{{"userId": {word}, "a": 1}}']
    kept = json.dumps({"userId": other, "n": 4210})
    for body in (*bodies, kept):
        InboundRequest.objects.create(method="POST", path="/v1/track", status=400, body=body)
    profile = make_profile(word)
    privacy.erase([profile.pk], ACTOR)
    assert traces.search() == 1
    assert list(InboundRequest.objects.values_list("body", flat=True)) == [kept]
    assert not Erasure.objects.exists()


@pytest.mark.parametrize("path", ["/api/v1/customers/a%2Fb/events", "/pixel?userId=a%2Fb", "/x?userId=a/b&y=1"])
def test_an_id_in_an_address_is_found(path: str) -> None:
    InboundRequest.objects.create(method="POST", path=path, status=400)
    InboundRequest.objects.create(method="POST", path="/api/v1/customers/a%2Fbc/events", status=400)
    privacy.erase([make_profile("a/b").pk], ACTOR)
    traces.search()
    assert InboundRequest.objects.count() == 1


def test_an_address_stays_struck_off_and_is_told_to_nobody() -> None:
    make_key()
    person = make_profile("ada", traits={"email": "Ada@example.com"})
    consent.suppress("ada@example.com", Suppression.Cause.BOUNCE, "550 ada@example.com unknown")
    privacy.erase([person.pk], ACTOR)
    traces.search()
    assert dump.places_of("ada@") == {}
    assert Suppression.objects.get().cause == Suppression.Cause.BOUNCE
    message = make_message(make_profile("new", traits={"email": "ADA@example.com"}), purpose="transactional")
    assert reason_for(message) == Reason.SUPPRESSED
    assert consent.unsuppress("ada@EXAMPLE.com")
    assert reason_for(message) == Reason.NO_PROVIDER


def test_an_address_that_somebody_else_has_stays_readable() -> None:
    person, other = (make_profile(traits={"email": "office@example.com"}) for _ in range(2))
    consent.suppress("office@example.com")
    privacy.erase([person.pk], ACTOR)
    assert Suppression.objects.get().address == "office@example.com"
    privacy.erase([other.pk], ACTOR)
    assert Suppression.objects.get().address.startswith("#")


def test_who_had_unsubscribed_gets_no_marketing_when_they_come_back_but_receipts() -> None:
    person = make_profile(traits={"email": "ada@example.com"})
    consent.unsubscribe(person.pk, "page")
    privacy.erase([person.pk], ACTOR)
    assert not Unsubscription.objects.exists()
    back = make_profile(traits={"email": "ada@example.com"})
    marketing, receipt = make_message(back), make_message(back, purpose="transactional")
    assert reason_for(marketing) == Reason.UNSUBSCRIBED
    assert reason_for(receipt) == Reason.NO_PROVIDER
    assert consent.resubscribe(back.pk)
    assert reason_for(marketing) == Reason.NO_PROVIDER


def reason_for(message: Message) -> str:
    """Return why a message is not sent, from the look that is taken before."""
    outcome = composing.prepare(message, composing.look([message]))
    assert isinstance(outcome, composing.Outcome)
    return outcome.reason


def test_a_person_with_ten_thousand_events_is_gone_within_two_seconds() -> None:
    person, other = make_profile(), make_profile()
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO events_event (timestamp, type, name, properties, context, profile_id)"
            " SELECT now() - n * interval '1 hour', 'track', 'Event ' || n %% 50, '{\"a\": 1}', '{}',"
            " CASE WHEN n %% 3 = 0 THEN %s ELSE %s END FROM generate_series(1, 15000) AS n",
            [other.pk, person.pk],
        )
    start = time.monotonic()
    assert privacy.erase([person.pk], ACTOR).events == 10_000
    assert time.monotonic() - start < 2
    assert Event.objects.count() == 5_000


def test_the_statements_of_an_erasure_do_not_grow_with_the_people() -> None:
    def count(people: int) -> int:
        ids = [make_profile(traits={"email": f"{n}@example.com"}).pk for n in range(people)]
        for pk in ids:
            make_message(Profile.objects.get(pk=pk))
        return flow.statements(lambda: privacy.erase(ids, ACTOR, suppress=True))

    assert count(2) == count(9)
