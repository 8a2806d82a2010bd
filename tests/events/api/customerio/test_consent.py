"""What attributes say of consent, by each API that has them."""

from __future__ import annotations

from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from events.models import Event, Profile
from messaging import consent, subscriptions
from messaging.models import Subscription, Unsubscription
from tests.events.api.customerio.account import Account, done
from tests.factories import make_profile, make_topic
from tests.tracking import basic, send

pytestmark = pytest.mark.django_db


@pytest.fixture
def account() -> Account:
    return Account.make()


def say(account: Account, way: str, unsubscribed: Any, user: str = "ada") -> bool:
    return identify(account, way, {"unsubscribed": unsubscribed}, user)


def identify(account: Account, way: str, said: dict[str, Any], user: str = "ada") -> bool:
    if way == "v1":
        return done(account.identify(user, **said))
    if way == "v2":
        return done(account.entity(type="person", action="identify", identifiers={"id": user}, attributes=said))
    call = {"userId": user, "traits": said}
    headers = {"Authorization": basic(account.key)}
    answer = Client().post("/cdp/v1/identify", call, content_type="application/json", headers=headers)
    return (answer.status_code, answer.json()) == (200, {"success": True})


def unsubscribed() -> list[tuple[str | None, str]]:
    return list(Unsubscription.objects.order_by("profile").values_list("profile__user_id", "method"))


def news() -> list[str]:
    return list(Event.objects.filter(name__startswith="Email").order_by("id").values_list("name", flat=True))


ways = pytest.mark.parametrize("way", ["v1", "v2", "cdp"])


@ways
@pytest.mark.parametrize(("leaves", "comes"), [(True, False), ("true", "false")])
def test_it_unsubscribes_and_lets_back_in_once_each(account: Account, way: str, leaves: Any, comes: Any) -> None:
    for _ in range(2):
        assert say(account, way, leaves)
    assert unsubscribed() == [("ada", "application")]
    assert Profile.objects.get().traits == {"unsubscribed": leaves}
    for _ in range(2):
        assert say(account, way, comes)
    assert unsubscribed() == []
    assert news() == ["Email Unsubscribed", "Email Resubscribed"]


@ways
@pytest.mark.parametrize("value", [None, "", 7, [], "perhaps"])
def test_anything_else_says_nothing(account: Account, way: str, value: Any) -> None:
    say(account, way, True)
    assert say(account, way, value)
    assert unsubscribed() == [("ada", "application")]


@ways
@pytest.mark.parametrize("first", ["application", "reader"])
def test_who_left_by_themselves_is_not_brought_back(account: Account, way: str, first: str) -> None:
    ada = make_profile("ada")
    if first == "application":
        say(account, way, True)
    consent.unsubscribe(ada.pk, "page")
    say(account, way, True)
    assert say(account, way, False)
    assert unsubscribed() == [("ada", "page")]
    assert news() == ["Email Unsubscribed"]


def test_a_readers_word_stays_when_two_become_one(account: Account) -> None:
    for user in ("ada", "ben"):
        make_profile(user)
    say(account, "v1", True, "ada")
    consent.unsubscribe(Profile.objects.get(user_id="ben").pk, "one_click")
    account.call("POST", "/api/v1/merge_customers", {"primary": {"id": "ada"}, "secondary": {"id": "ben"}})
    say(account, "v1", False, "ada")
    assert unsubscribed() == [("ada", "one_click")]


def test_below_v1_it_is_a_trait_like_others(account: Account) -> None:
    send("identify", {"userId": "ada", "traits": {"unsubscribed": True}}, account.key)
    assert Profile.objects.get().traits == {"unsubscribed": True} and unsubscribed() == []


def test_in_a_batch_the_last_word_counts_and_the_statements_do_not_grow(
    account: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("events.api.inbound.sampled", lambda: False)

    def statements(count: int) -> int:
        items = [
            {
                "type": "person",
                "action": "identify",
                "identifiers": {"id": f"{count}-{n}"},
                "attributes": {"unsubscribed": u},
            }
            for n in range(count)
            for u in (n % 2 == 1, n % 2 == 0)
        ]
        with CaptureQueriesContext(connection) as queries:
            assert done(account.batch(*items))
        return len([query for query in queries if "SAVEPOINT" not in query["sql"]])

    statements(1)
    assert statements(2) == statements(40)
    assert len(unsubscribed()) == 1 + 1 + 20
    assert unsubscribed()[-1][0] == "40-38"


# --- Topics ------------------------------------------------------------------------------------------------------


def preferences() -> list[tuple[str, str, str]]:
    said = Subscription.objects.order_by("topic__slug", "id")
    return list(said.values_list("topic__slug", "state", "source"))


@ways
@pytest.mark.parametrize("dotted", [False, True])
def test_preferences_name_topics_by_number_or_short_name(account: Account, way: str, dotted: bool) -> None:
    number = make_topic("offers").pk
    make_topic()
    wanted = {f"topic_{number}": False, "newsletter": True, "topic_0": True, "nothing": False}
    key = "cio_subscription_preferences"
    said = {f"{key}.topics.{name}": on for name, on in wanted.items()} if dotted else {key: {"topics": wanted}}
    for _ in range(2):
        assert identify(account, way, said)
    assert preferences() == [("newsletter", "subscribed", "application"), ("offers", "unsubscribed", "application")]
    topics = Event.objects.filter(name__startswith="Topic").order_by("id").values_list("name", flat=True)
    assert sorted(topics) == ["Topic Subscribed", "Topic Unsubscribed"]


def test_preferences_bring_nobody_back_who_left_in_another_way(account: Account) -> None:
    topic, ada = make_topic(), make_profile("ada")
    subscriptions.unsubscribe([ada.pk], topic, "page")
    assert identify(account, "v1", {"cio_subscription_preferences": {"topics": {"newsletter": True}}})
    assert preferences() == [("newsletter", "unsubscribed", "page")]


@pytest.mark.parametrize("odd", [True, [], "yes", {"topics": True}, {"topics": {"newsletter": "no"}}, {"channels": {}}])
def test_odd_preferences_are_attributes_and_nothing_else(account: Account, odd: Any) -> None:
    make_topic()
    assert identify(account, "v2", {"cio_subscription_preferences": odd})
    assert identify(account, "v1", {"cio_subscription_preferences.topics": odd, "cio_subscription_preferences.x.y": 1})
    assert Profile.objects.get().traits["cio_subscription_preferences"] == odd
    assert preferences() == []
