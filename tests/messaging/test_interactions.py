"""Questions about messages: how they are read and said, and that they are asked of what really came of messages."""

from __future__ import annotations

import time
from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from events import merging
from events.audience import compile_condition, profiles
from events.conditions import ConditionError, parse
from events.conditions.kinds import known
from events.conditions.words import say
from events.models import Event, Profile
from messaging import delivery, feedback, outbox
from messaging.feedback import Report
from messaging.models import Message
from tests.factories import make_profile, make_provider, make_template, make_version

OPENED = {"message": "opened", "campaign": "welcome"}


@pytest.mark.parametrize(
    ("tree", "same"),
    [
        ({"message": "sent"}, {"event": "Email Sent"}),
        ({"message": "received"}, {"event": "Email Sent"}),
        (
            {"message": "opened", "campaign": "welcome", "template": "Hello", "within": "7d", "count": {"gte": 2}},
            {
                "event": "Email Opened",
                "where": {"all": [{"property": "campaign", "is": "welcome"}, {"property": "template", "is": "Hello"}]},
                "within": "7d",
                "count": {"gte": 2},
            },
        ),
        (
            {"message": "clicked", "link": "/pricing", "since": "2026-05-01"},
            {
                "event": "Email Clicked",
                "where": {"all": [{"property": "url", "contains": "/pricing"}]},
                "since": "2026-05-01",
            },
        ),
        (
            {"message": "sent", "then_not": {"message": "opened", "within": "2d", "same": "message_id"}},
            {"event": "Email Sent", "then_not": {"event": "Email Opened", "within": "2d", "same": "message_id"}},
        ),
        (
            {"sequence": [{"message": "clicked"}, {"event": "Order Completed"}], "within": "1d"},
            {"sequence": [{"event": "Email Clicked"}, {"event": "Order Completed"}], "within": "1d"},
        ),
    ],
)
def test_they_are_read_as_what_somebody_did(tree: dict[str, Any], same: dict[str, Any]) -> None:
    assert parse(tree) == parse(same)


@pytest.mark.parametrize(
    ("tree", "path", "message"),
    [
        ({"message": "read"}, "message", "must be one of sent, delivered, opened, clicked, bounced, rejected, "),
        ({"message": ["sent"]}, "message", "must be one of"),
        ({"message": "sent", "campaign": ""}, "campaign", "must be the name of a campaign"),
        ({"message": "sent", "template": 3}, "template", "must be the name of a template"),
        ({"message": "sent", "template": "a\x00"}, "template", "contains a character that cannot be stored"),
        ({"message": "opened", "link": "/pricing"}, "link", "can only be asked of messages that were clicked"),
        ({"message": "clicked", "link": ""}, "link", "must be part of the link's address"),
        ({"message": "sent", "within": "soon"}, "within", "must be a time span such as"),
        ({"message": "sent", "count": {"gte": "x"}}, "count.gte", "must be a whole number"),
        ({"message": "sent", "within": "1d", "since": "-1d"}, "since", "cannot stand beside within"),
        ({"message": "sent", "where": {}}, "where", "is not known here"),
        ({"sequence": [{"event": "A"}, {"message": "sent", "within": "1d"}]}, "sequence[1]", "must be an event"),
        ({"sequence": [{"event": "A"}, {"segment": "vip"}]}, "sequence[1]", "must be an event"),
        ({"event": "A", "then_not": {"message": "seen", "within": "1d"}}, "then_not.message", "must be one of"),
    ],
)
def test_mistakes_name_their_place(tree: dict[str, Any], path: str, message: str) -> None:
    with pytest.raises(ConditionError) as error:
        parse(tree)
    assert error.value.path == path
    assert error.value.message.startswith(message)


@pytest.mark.parametrize(
    ("tree", "words"),
    [
        (OPENED, "opened an email of the campaign “welcome”"),
        (
            {"message": "clicked", "link": "/pricing", "count": {"gte": 2}, "within": "7d"},
            "clicked in an email with a link that contains “/pricing” at least 2 times in the last 7 days",
        ),
        ({"not": {"message": "received", "within": "30d"}}, "did not get an email in the last 30 days"),
        ({"message": "opened", "count": {"is": 0}}, "did not open an email"),
    ],
)
def test_they_are_said_in_words(tree: dict[str, Any], words: str) -> None:
    assert say(parse(tree)) == words


@pytest.mark.django_db
def test_the_form_names_templates_and_campaigns() -> None:
    make_template("Hello")
    form = known()["message"].form
    assert form is not None
    names = {field.key: list(field.names()) for field in form.fields if field.names}
    assert names == {"campaign": [], "template": [("Hello", "Hello")]}
    parse({field.key: field.choices[0][0] for field in form.fields if field.choices})


def deliver(person: Profile, campaign: str = "welcome", template: str = "Hello") -> Message:
    """Send a message of a campaign by the mailbox."""
    version = make_version(make_template(template))
    key = f"{campaign}:{person.pk}"
    outbox.queue(
        [
            outbox.Draft(
                key, person.pk, version.pk, "marketing", None, {}, False, timezone.now(), labels={"campaign": campaign}
            )
        ]
    )
    delivery.deliver_due(time.monotonic() + 20)
    return Message.objects.get(key=key)


def report(message: Message, kind: str, **details: Any) -> None:
    feedback.record(
        [Report(kind, f"{kind}:{message.pk}", timezone.now(), message_public_id=str(message.public_id), **details)]
    )


def fits(tree: dict[str, Any], *, later: timedelta = timedelta(0)) -> set[str]:
    """Return who meets the condition, asked one by one and of everybody: the answers have to be the same."""
    one, all_of_them = (
        set(
            Profile.objects.filter(
                compile_condition(parse(tree), profiles(timezone.now() + later, everyone=everyone))
            ).values_list("user_id", flat=True)
        )
        for everyone in (False, True)
    )
    assert one == all_of_them
    return one


@pytest.mark.django_db
def test_they_are_asked_of_what_came_of_messages() -> None:
    make_provider(is_default=True)
    ada, ben, _ = (make_profile(name, traits={"email": f"{name}@example.com"}) for name in ("ada", "ben", "eve"))
    welcome = deliver(ada)
    deliver(ben, "bye", "Bye")
    report(welcome, "opened")
    report(welcome, "clicked", url="https://acme.example/pricing")
    assert fits({"message": "received"}) == {"ada", "ben"}
    assert fits({"message": "delivered", "campaign": "bye"}) == {"ben"}
    assert fits({"message": "sent", "template": "Hello"}) == {"ada"}
    assert fits(OPENED) == {"ada"}
    assert fits({"message": "opened", "campaign": "bye"}) == set()
    assert fits({"not": {"message": "opened"}}) == {"ben", "eve"}
    assert fits({"message": "clicked", "link": "/pricing"}) == {"ada"}
    assert fits({"message": "clicked", "link": "/blog"}) == set()
    assert fits({"message": "sent", "count": {"gte": 2}}) == set()
    assert fits({"message": "sent", "within": "1d"}, later=timedelta(days=2)) == set()
    unopened = {"message": "sent", "then_not": {"message": "opened", "within": "1d", "same": "message_id"}}
    assert fits(unopened, later=timedelta(days=2)) == {"ben"}
    assert fits(unopened) == set(), "there is time still"


@pytest.mark.django_db
def test_who_becomes_one_with_somebody_has_got_what_they_got() -> None:
    make_provider(is_default=True)
    ada = make_profile("ada", traits={"email": "ada@example.com"})
    other = make_profile("other", traits={"email": "other@example.com"})
    message = deliver(other)
    merging.merge([(other.pk, ada.pk)])
    report(message, "opened")
    assert fits({"message": "received", "campaign": "welcome"}) == {"ada"}
    assert fits(OPENED) == {"ada"}


@pytest.mark.django_db
def test_a_message_from_before_there_were_names_is_of_no_campaign() -> None:
    ada = make_profile("ada")
    Event.objects.create(
        profile=ada, type="track", name="Email Opened", properties={"message_id": "x"}, timestamp=timezone.now()
    )
    assert fits({"message": "opened"}) == {"ada"}
    assert fits(OPENED) == set()
