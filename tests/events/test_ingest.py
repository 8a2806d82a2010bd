from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from events import log
from events.ingest import Item, Result, ingest
from events.models import AcceptedMessage, Event, Identity, InboundRequest, Pending, Profile
from events.signals import profiles_merged
from tests.factories import make_event, make_profile, make_source

pytestmark = pytest.mark.django_db
NOW = datetime(2026, 3, 2, 12, tzinfo=UTC)


def item(kind: str = "track", number: int = 0, **parts: Any) -> Item:
    """Make an item of a kind; dictionaries become JSON."""
    if "traits" in parts:
        said: dict[str, Any] = parts.pop("traits")
        parts["traits"] = {name: msgspec.Raw(json.dumps(value).encode()) for name, value in said.items()}
        parts["properties"] = said
    for column in ("properties", "context", "extra"):
        if column in parts:
            parts[column] = json.dumps(parts[column]).encode()
    parts.setdefault("message_id", f"m{number}")
    parts.setdefault("timestamp", NOW)
    return Item(type=kind, **parts)


def identify(user_id: str, **parts: Any) -> Item:
    """An identify that can only be said once."""
    return item("identify", user_id=user_id, message_id=str(id(parts)) + user_id, repeatable=False, **parts)


def take(*items: Item, received_at: datetime = NOW) -> Result:
    return ingest(make_source(), items, received_at)


def test_an_event_is_stored_with_everything_it_said_and_is_pending() -> None:
    source = make_source()
    parts: dict[str, Any] = {"properties": {"a": 1}, "context": {"ip": "::1"}, "extra": {"_metadata": {}}}
    at = NOW - timedelta(days=2)
    assert ingest(source, [item(user_id="u", name="Hi", timestamp=at, **parts)], NOW) == Result(1, 0)
    event = Event.objects.get()
    assert (event.source, event.type, event.name, event.message_id) == (source, "track", "Hi", "m0")
    assert (event.properties, event.context, event.extra) == tuple(parts.values())
    assert (event.timestamp, event.received_at) == (at, NOW)
    assert event.profile.user_id == "u"
    pending = Pending.objects.get()
    assert (pending.event_id, pending.event_timestamp, pending.profile, pending.name) == (
        event.pk,
        at,
        event.profile,
        "Hi",
    )


def test_an_event_that_is_not_meant_for_us_is_stored_and_not_pending() -> None:
    take(item(user_id="u", pending=False))
    assert Event.objects.count() == 1
    assert not Pending.objects.exists()


def test_the_call_is_kept_and_linked_when_it_is_given() -> None:
    source = make_source()
    request = InboundRequest(source=source, method="POST", path="/v1/track", status=200)
    ingest(source, [item(number=1, user_id="u"), item(number=1, user_id="u")], NOW, request)
    assert Event.objects.get().request == request
    assert InboundRequest.objects.get().accepted == 1


def test_digits_are_kept_as_they_came() -> None:
    number = "12345678901234567890.123456789012345678901"
    take(Item("track", "m", NOW, user_id="u", properties=f'{{"n": {number}}}'.encode()))
    with connection.cursor() as cursor:
        cursor.execute("SELECT properties->>'n' FROM events_event")
        assert cursor.fetchone() == (number,)


# --- The same message again ------------------------------------------------------------------------------------------


def test_a_message_id_counts_once_and_the_first_wins() -> None:
    source = make_source()
    first, second = item(user_id="u", name="First"), item(user_id="u", name="Second")
    assert ingest(source, [first, second], NOW) == Result(1, 1)
    assert ingest(source, [second], NOW) == Result(0, 1)
    assert Event.objects.get().name == "First"
    assert AcceptedMessage.objects.count() == Pending.objects.count() == 1


def test_two_sources_may_use_the_same_message_id() -> None:
    take(item(user_id="u"))
    take(item(user_id="u"))
    assert Event.objects.count() == 2


def test_a_late_repetition_does_not_bring_old_traits_back() -> None:
    source = make_source()
    old = item("identify", 1, user_id="u", traits={"plan": "free"})
    new = item("identify", 2, user_id="u", traits={"plan": "pro"})
    ingest(source, [old], NOW)
    ingest(source, [new], NOW)
    ingest(source, [old], NOW)
    assert Profile.objects.get().traits == {"plan": "pro"}


def test_made_up_message_ids_are_not_remembered() -> None:
    take(item(user_id="u", repeatable=False))
    assert not AcceptedMessage.objects.exists()


# --- Traits ----------------------------------------------------------------------------------------------------------


def test_traits_merge_in_order_and_null_forgets() -> None:
    take(
        identify("u", traits={"plan": "free", "age": 30, "nested": {"a": 1}, "": "empty"}),
        identify("u", traits={"plan": "pro", "age": None}),
    )
    assert Profile.objects.get().traits == {"plan": "pro", "nested": {"a": 1}, "": "empty"}
    take(identify("u", traits={"plan": None, "nested": {"b": 2}, "never": None}))
    assert Profile.objects.get().traits == {"nested": {"b": 2}, "": "empty"}


def test_forgetting_and_setting_anew_in_one_batch_sets() -> None:
    make_profile("u", traits={"plan": "free"})
    take(identify("u", traits={"plan": None}), identify("u", traits={"plan": "pro"}))
    assert Profile.objects.get().traits == {"plan": "pro"}


@pytest.mark.parametrize(
    ("said", "column", "value"),
    [
        ({"email": " Ada@Example.com "}, "email", "Ada@Example.com"),
        ({"email": None}, "email", ""),
        ({"email": {"at": "example"}}, "email", ""),
        ({"email": "x" * 5000}, "email", ""),
        ({"phone": "+43 1 234"}, "phone", "+43 1 234"),
        ({"phone": 431234}, "phone", "431234"),
        ({"timezone": "Europe/Vienna"}, "time_zone", "Europe/Vienna"),
        ({"time_zone": "europe/vienna"}, "time_zone", "Europe/Vienna"),
        ({"timezone": "Mars/Base", "time_zone": "Asia/Tokyo"}, "time_zone", "Asia/Tokyo"),
        ({"timezone": "Mars/Base"}, "time_zone", ""),
        ({"language": "de"}, "language", "de"),
        ({"locale": "de-AT"}, "language", "de-AT"),
        ({"language": ["de"]}, "language", ""),
    ],
)
def test_the_columns_follow_the_traits(said: dict[str, Any], column: str, value: str) -> None:
    make_profile("u", email="old@example.com", phone="1", time_zone="UTC", language="en")
    take(identify("u", traits=said))
    assert getattr(Profile.objects.get(), column) == value


def test_columns_that_are_not_spoken_of_stay() -> None:
    make_profile("u", email="old@example.com", phone="1", time_zone="UTC", language="en")
    take(identify("u", traits={"plan": "pro"}))
    profile = Profile.objects.get()
    assert (profile.email, profile.phone, profile.time_zone, profile.language) == ("old@example.com", "1", "UTC", "en")


def test_a_device_says_its_zone_and_language_until_a_trait_does() -> None:
    take(item(user_id="u", time_zone="Europe/Paris", language="fr-FR", repeatable=False))
    take(item(user_id="u", time_zone="Europe/Rome", language="it-IT", repeatable=False))
    profile = Profile.objects.get()
    assert (profile.time_zone, profile.language) == ("Europe/Rome", "it-IT")
    take(identify("u", traits={"timezone": "Asia/Tokyo", "locale": "ja"}))
    take(item(user_id="u", time_zone="Europe/Rome", language="it-IT", repeatable=False))
    profile.refresh_from_db()
    assert (profile.time_zone, profile.language) == ("Asia/Tokyo", "ja")


def test_updated_at_moves_only_when_something_changes() -> None:
    profile = make_profile("u", traits={"plan": "pro"})
    before = timezone.now()
    take(identify("u", traits={"plan": "pro"}), received_at=before)
    profile.refresh_from_db()
    assert profile.updated_at < before
    take(identify("u", traits={"plan": "free"}))
    profile.refresh_from_db()
    assert profile.updated_at > before


def test_last_seen_is_the_newest_activity_but_never_in_the_future() -> None:
    def seen() -> datetime | None:
        return Profile.objects.get(user_id="u").last_seen_at

    take(item(user_id="u", timestamp=NOW - timedelta(days=3)))
    assert seen() == NOW - timedelta(days=3)
    take(item(user_id="u", timestamp=NOW - timedelta(days=9)))
    assert seen() == NOW - timedelta(days=3)
    take(item(user_id="u", timestamp=NOW, active=False))
    assert seen() == NOW - timedelta(days=3)
    take(item(user_id="u", timestamp=NOW + timedelta(days=1)))
    assert seen() == NOW


# --- Who is meant ----------------------------------------------------------------------------------------------------


def names_of(profile: Profile) -> set[str]:
    return set(Event.objects.filter(profile=profile).values_list("name", flat=True))


@pytest.mark.parametrize("identify_first", [True, False])
@pytest.mark.parametrize("one_batch", [True, False])
@pytest.mark.parametrize("known", [True, False])
def test_a_visitors_events_are_the_users_whatever_comes_first(
    identify_first: bool, one_batch: bool, known: bool
) -> None:
    if known:
        make_profile("u")
    calls = [item(number=1, anonymous_id="a", name="Visited"), identify("u", anonymous_id="a")]
    if identify_first:
        calls.reverse()
    if one_batch:
        take(*calls)
    else:
        for call in calls:
            take(call)
    take(item(number=2, anonymous_id="a", name="Came Back"))
    profile = Profile.objects.get()
    assert profile.user_id == "u"
    assert names_of(profile) == {"Visited", "", "Came Back"}
    assert set(Pending.objects.values_list("profile", flat=True)) == {profile.pk}


def test_a_merge_keeps_what_is_known_and_adds_what_is_new() -> None:
    seen = NOW - timedelta(hours=1)
    user = make_profile("u", traits={"plan": "pro", "email": "u@example.com"}, last_seen_at=NOW - timedelta(days=1))
    visitor = make_profile(
        None,
        anonymous_ids=("a",),
        traits={"plan": "free", "utm": "ad"},
        phone="123",
        time_zone="Asia/Tokyo",
        last_seen_at=seen,
    )
    event = make_event(visitor, pending=True)
    Profile.objects.filter(pk=visitor.pk).update(created_at=NOW - timedelta(days=9))
    heard: list[list[tuple[int, int]]] = []

    def hear(sender: object, pairs: list[tuple[int, int]], **_: object) -> None:
        assert Profile.objects.filter(pk=pairs[0][0]).exists()
        heard.append(pairs)

    profiles_merged.connect(hear)
    try:
        take(identify("u", anonymous_id="a", active=False))
    finally:
        profiles_merged.disconnect(hear)
    assert heard == [[(visitor.pk, user.pk)]]
    merged = Profile.objects.get()
    assert merged.pk == user.pk
    assert merged.traits == {"plan": "pro", "email": "u@example.com", "utm": "ad"}
    assert (merged.email, merged.phone, merged.time_zone) == ("u@example.com", "123", "Asia/Tokyo")
    assert (merged.last_seen_at, merged.created_at) == (seen, NOW - timedelta(days=9))
    assert Event.objects.get(pk=event.pk).profile == Pending.objects.get(event_id=event.pk).profile == user
    assert set(Identity.objects.values_list("profile", flat=True)) == {user.pk}


def test_a_device_that_changes_hands_stays_with_the_first() -> None:
    take(identify("u", anonymous_id="a", traits={"plan": "pro"}))
    take(identify("v", anonymous_id="a", traits={"plan": "free"}))
    plans = dict(Profile.objects.values_list("user_id", "traits"))
    assert plans == {"u": {"plan": "pro"}, "v": {"plan": "free"}}


def test_aliases_join_for_good_and_chain() -> None:
    take(
        item(number=1, user_id="a", name="A"),
        item(number=2, user_id="b", name="B"),
        item(number=3, user_id="c", name="C"),
    )
    take(item("alias", 4, user_id="b", previous_id="a", name="a"))
    take(item("alias", 5, user_id="c", previous_id="b", name="b"))
    take(item(number=6, user_id="a", name="Later A"), item(number=7, user_id="b", name="Later B"))
    profile = Profile.objects.get()
    assert profile.user_id == "c"
    assert names_of(profile) == {"A", "B", "C", "a", "b", "Later A", "Later B"}


def test_an_alias_to_an_unknown_user_renames() -> None:
    take(item(number=1, user_id="old"))
    before = Profile.objects.get().pk
    take(item("alias", 2, user_id="new", previous_id="old"))
    take(item(number=3, user_id="old"), item(number=4, user_id="new"))
    profile = Profile.objects.get()
    assert (profile.pk, profile.user_id) == (before, "new")


def test_an_alias_that_comes_before_what_it_speaks_of_still_holds() -> None:
    take(item("alias", 1, user_id="u", previous_id="p"))
    take(item(number=2, user_id="p"), item(number=3, anonymous_id="p"))
    assert Profile.objects.get().user_id == "u"


def test_a_profile_made_by_hand_is_found_by_its_user_id() -> None:
    by_hand = Profile.objects.create(user_id="u")
    take(item(user_id="u"))
    assert Profile.objects.get() == by_hand
    assert Identity.objects.get().profile == by_hand


def test_somebody_known_by_an_email_can_be_written_to_and_is_found_again() -> None:
    take(item(email="Ada@Example.com", name="Signed Up"))
    ada = Profile.objects.get()
    assert (ada.user_id, ada.email, ada.traits) == (None, "Ada@Example.com", {"email": "Ada@Example.com"})
    take(item(email="ada@example.com", number=2))
    assert ada.events.count() == 2


def test_somebody_known_by_an_email_becomes_the_user_who_comes_with_it() -> None:
    take(item(email="ada@example.com"))
    take(identify("ada", email="ada@example.com"), item(user_id="ada", number=2))
    ada = Profile.objects.get()
    assert ada.user_id == "ada"
    assert ada.events.count() == 3
    take(item(email="ada@example.com", number=3))
    assert ada.events.count() == 4


def test_who_is_known_by_an_email_stays_apart_from_another_on_the_same_device() -> None:
    take(item("identify", email="ada@example.com", anonymous_id="a"))
    take(item("identify", number=2, email="ben@example.com", anonymous_id="a"))
    assert Profile.objects.count() == 2


def test_a_user_is_found_by_the_email_that_is_known_of_them() -> None:
    make_profile(None, email="ada@example.com")
    ada = make_profile("ada", email="Ada@example.com")
    take(item(email="ada@example.com"))
    assert Event.objects.get().profile == ada
    assert not Identity.objects.filter(kind=Identity.Kind.EMAIL).exists()


def test_an_email_that_applications_use_as_a_user_id_means_one_person() -> None:
    take(item(email="ada@example.com"))
    take(item(user_id="ada@example.com", number=2))
    assert Profile.objects.get().user_id == "ada@example.com"


def test_a_sandbox_finds_and_makes_people_of_its_own_by_email() -> None:
    make_profile("ada", email="ada@example.com")
    source = make_source()
    source.is_sandbox = True
    ingest(source, [item(email="ada@example.com"), item("identify", number=2, user_id="ben", email="b@x.io")], NOW)
    ingest(source, [item(number=3, email="ada@example.com")], NOW)
    apart = Profile.objects.get(is_sandbox=True, user_id=None)
    assert (apart.email, apart.events.count()) == ("ada@example.com", 2)


def test_events_taken_in_after_a_claim_find_the_merged_person() -> None:
    make_profile("u")
    take(item(number=1, anonymous_id="a", name="Visited"))
    take(identify("u", anonymous_id="a"))
    claimed = log.claim_pending(10)
    assert {event.profile_id for event in claimed} == {Profile.objects.get().pk}


# --- Cost ------------------------------------------------------------------------------------------------------------


def mixed(size: int, prefix: str) -> list[Item]:
    """A batch of everything: new and known people, traits, devices, merges, renames, aliases."""
    items = []
    for n in range(size):
        user, visitor, device = f"{prefix}user-{n}", f"{prefix}visitor-{n}", f"{prefix}device-{n}"
        make_profile(f"known-{user}")
        make_profile(None, anonymous_ids=(visitor,))
        make_profile(None, anonymous_ids=(device,))
        items += [
            identify(user, traits={"n": n}, time_zone="Asia/Tokyo"),
            item(message_id=f"{prefix}{n}", anonymous_id=f"{prefix}new-{n}"),
            identify(f"known-{user}", anonymous_id=visitor),
            identify(f"fresh-{user}", anonymous_id=device),
            item("alias", user_id=f"alias-{user}", previous_id=user, message_id=f"{prefix}alias-{n}"),
            item(message_id=f"{prefix}email-{n}", email=f"{user}@example.com"),
            identify(f"email-{user}", email=f"{user}@example.com"),
        ]
    return items


def statements(work: Callable[[], object]) -> int:
    with CaptureQueriesContext(connection) as context:
        work()
    return len([query for query in context if "SAVEPOINT" not in query["sql"]])


def test_the_number_of_statements_does_not_grow_with_the_batch() -> None:
    source = make_source()
    few, many = mixed(2, "few-"), mixed(60, "many-")
    assert statements(lambda: ingest(source, few, NOW)) == statements(lambda: ingest(source, many, NOW))


def test_people_known_by_an_email_cost_two_statements_more_at_the_most() -> None:
    source = make_source()
    by_identity = [item(email=f"p{n}@example.com", number=n, active=False) for n in range(20)]
    ingest(source, by_identity, NOW)
    for number in range(20):
        make_profile(email=f"u{number}@example.com")
    by_trait = [item(email=f"u{n}@example.com", number=100 + n, active=False) for n in range(20)]
    again = [item(email=f"p{n}@example.com", number=200 + n, active=False) for n in range(20)]
    assert statements(lambda: ingest(source, again, NOW)) == 3
    # Those of no such id are looked for among profiles made by hand, then by the trait.
    assert statements(lambda: ingest(source, by_trait, NOW)) == 5
    assert Profile.objects.count() == 40


def test_events_of_known_people_cost_four_statements() -> None:
    source = make_source()
    items = [item(message_id=f"m{n}", user_id=f"u{n % 7}") for n in range(100)]
    ingest(source, [item(message_id=f"first-{n}", user_id=f"u{n}", active=False) for n in range(7)], NOW)
    # Message ids, look-up, log, last seen; the last falls away when that is fresh.
    assert statements(lambda: ingest(source, items, NOW)) == 4
    again = [item(message_id=f"again-{n}", user_id=f"u{n % 7}") for n in range(100)]
    assert statements(lambda: ingest(source, again, NOW)) == 3
    assert statements(lambda: ingest(source, again, NOW)) == 1
