"""Topics by API: read them, and what people have said; subscribe one person or many."""

from __future__ import annotations

from typing import Any

import pytest

from events.models import AuditEntry, Event
from messaging import consent
from messaging.models import Subscription
from tests.events.api.manage.test_lists import token
from tests.events.api.manage.test_segments import post
from tests.factories import make_profile, make_topic
from tests.tracking import manage

pytestmark = pytest.mark.django_db
NOTHING = {"subscribed": 0, "unsubscribed": 0, "unknown": []}


def say(path: str, body: Any, scope: str = "topics:write") -> Any:
    return post(path, body, token(scope))


def test_topics_are_read() -> None:
    make_topic(joining="opt_in", description="News")
    offers = make_topic("offers", archived=True)
    assert [row["slug"] for row in manage("topics/").json()["results"]] == ["offers", "newsletter"]
    assert manage("topics/offers/").json() == {
        "slug": "offers",
        "number": offers.pk,
        "name": "Offers",
        "description": "",
        "joining": "opt_out",
        "archived": True,
    }
    assert manage("topics/none/").status_code == 404


def test_many_people_are_subscribed_and_unsubscribed() -> None:
    make_topic()
    for name in ("ada", "ben"):
        make_profile(name, traits={"email": f"{name}@example.com"})
    body = {"subscribe": ["ada@example.com", "ada"], "unsubscribe": ["ben", "eve"], "basis": "asked by phone"}
    answer = say("topics/newsletter/people/", body)
    assert answer.json() == {"subscribed": 1, "unsubscribed": 1, "unknown": ["eve"]}
    assert say("topics/newsletter/people/", {"unsubscribe": ["ben"]}).json() == NOTHING
    said = Subscription.objects.order_by("id").values_list("profile__user_id", "state", "source", "basis")
    assert list(said) == [
        ("ada", "subscribed", "api", "asked by phone"),
        ("ben", "unsubscribed", "api", "asked by phone"),
    ]
    assert Event.objects.filter(name="Topic Unsubscribed").get().properties["source"] == "api"
    assert AuditEntry.objects.filter(action="subscriptions").count() == 2


def test_a_person_is_shown_and_changed() -> None:
    make_topic("offers", joining="opt_in", position=1), make_topic()
    ada = make_profile("a/da")
    consent.unsubscribe(ada.pk, "page")
    body = {"topics": {"newsletter": "unsubscribed"}, "channel": "email"}
    shown = say("subscriptions/a%2Fda/", body).json()
    assert shown == manage("subscriptions/a%2Fda/").json()
    (row,) = shown["topics"][0].pop("said")
    assert {**row, "at": ""} == {"channel": "email", "state": "unsubscribed", "source": "api", "basis": "", "at": ""}
    assert shown.pop("preferences_url").startswith("http://127.0.0.1:8000/m/p/")
    assert shown == {
        "marketing": False,
        "tracking": True,
        "topics": [
            {"topic": "newsletter", "gets_email": False},
            {"topic": "offers", "gets_email": False, "said": []},
        ],
    }


@pytest.mark.parametrize(
    ("path", "body", "status", "field"),
    [
        ("subscriptions/ada/", {"topics": {"none": "subscribed"}}, 400, "topics.none"),
        ("subscriptions/ada/", {"topics": {"newsletter": True}}, 400, "topics.newsletter"),
        ("subscriptions/ada/", {"topics": {"newsletter": "subscribed"}, "channel": "pigeon"}, 400, "channel"),
        ("subscriptions/ada/", {"topic": "newsletter"}, 400, "topic"),
        ("subscriptions/ada/", {"basis": "x" * 1_001}, 400, "basis"),
        ("subscriptions/ben/", {"topics": {}}, 404, ""),
        ("topics/newsletter/people/", {"subscribe": [3]}, 400, "subscribe"),
        ("topics/newsletter/people/", {"subscribe": ["x"] * 1_001}, 400, "subscribe"),
        ("topics/none/people/", {"subscribe": ["ada"]}, 404, ""),
    ],
)
def test_what_cannot_be_taken_is_refused_and_changes_nothing(path: str, body: Any, status: int, field: str) -> None:
    make_topic()
    make_profile("ada")
    answer = say(path, body)
    assert answer.status_code == status
    if field:
        assert answer.json()["field"] == field
    assert not Subscription.objects.exists()


def test_reading_and_writing_need_their_scopes() -> None:
    make_topic()
    assert say("topics/newsletter/people/", {}, "topics:read").status_code == 403
    assert say("topics/newsletter/people/", {}, "segments:write").status_code == 403
