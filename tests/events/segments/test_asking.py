"""Segments follow what changes about people without an event that campaigns look at."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from events import groups, merging, privacy, testers
from events.ingest import ingest
from events.models import Event, Import, Segment, SegmentTurn
from events.segments import changes, lists, turning
from events.transfers import imports
from tests.events.api.customerio.account import Account, done
from tests.events.api.manage.test_lists import token
from tests.events.segments.test_membership import ACTOR, follow, make_segment, members
from tests.events.test_groups import group_call
from tests.factories import make_key, make_profile, make_source
from tests.tracking import send

pytestmark = pytest.mark.django_db
BIG = {"group": "company", "trait": "plan", "is": "big"}
COMPANY = {"object_type_id": "1", "object_id": "acme"}


def settle() -> list[str]:
    """Let workers do what waits for them; return the news of segments that this made."""
    news = follow()
    while turning.turn_batch(timezone.now()):
        news += follow()
    return sorted(news)


def test_a_customerio_object_wakes_everybody_in_it() -> None:
    account, segment = Account.make(), make_segment(BIG, "big")
    for user in ("ada", "ben"):
        account.identify(
            user, cio_relationships={"action": "add_relationships", "relationships": [{"identifiers": COMPANY}]}
        )
    assert settle() == []
    assert done(account.entity(type="object", identifiers=COMPANY, action="identify", attributes={"plan": "big"}))
    assert settle() == ["Entered big", "Entered big"]
    person = {"type": "person", "identifiers": {"id": "ada"}}
    related = {"cio_relationships": [{"identifiers": COMPANY}]}
    assert done(account.entity(**person, action="delete_relationships", **related))
    assert settle() == ["Left big"]
    assert done(account.entity(**person, action="add_relationships", **related))
    assert settle() == ["Entered big"]
    assert done(account.entity(type="object", identifiers=COMPANY, action="delete"))
    assert settle() == ["Left big", "Left big"]
    assert members(segment) == set()
    while changes.fold():
        pass
    segment.refresh_from_db()
    assert (segment.size, segment.changed_by) == (0, "their group")


def test_what_a_group_call_says_wakes_colleagues_and_no_others() -> None:
    source, segment = make_source(), make_segment(BIG, "big")
    at = timezone.now()
    calls = [group_call("ada", "acme", at=at), group_call("ben", "acme", at=at), group_call("eve", "other", at=at)]
    ingest(source, calls, at)
    assert settle() == []
    ingest(source, [group_call("ada", "acme", b'{"plan": "big"}', at)], at)
    assert settle() == ["Entered big", "Entered big"]
    assert len(members(segment)) == 2


def test_a_group_that_stays_as_it_was_asks_nobody() -> None:
    make_segment(BIG, "big")
    people = [make_profile() for _ in range(3)]
    for person in people:
        groups.relate(person.pk, "company", "acme", {})
    settle()
    with connection.cursor() as cursor:
        cursor.execute("UPDATE events_group SET updated_at = now() - interval '1 day'")
    groups.save_object("company", "acme", {})
    assert not SegmentTurn.objects.exists()
    groups.relate(people[0].pk, "company", "acme", {"role": "boss"})
    assert set(SegmentTurn.objects.values_list("profile_id", flat=True)) == {people[0].pk}


def import_file(kind: str, text: str, **columns: Any) -> None:
    upload = Import(source=make_source(), kind=kind, format="csv", file_name="x.csv", **columns)
    imports.store(upload, [text.encode()])
    imports.begin(upload, Import.State.RUNNING)
    assert imports.work(time.monotonic() + 60) is False


def test_an_import_moves_people_without_a_word_to_campaigns() -> None:
    pro, buyers = make_segment({"trait": "plan", "is": "pro"}, "pro"), make_segment({"event": "Bought"}, "buyers")
    both = make_segment({"all": [{"segment": "pro"}, {"segment": "buyers"}]}, "both")
    import_file("profiles", "user_id,plan\nada,pro\nben,free\n")
    import_file("events", f"user_id,event,timestamp\nada,Bought,{timezone.now().isoformat()}\n")
    assert settle() == [], "it is history"
    assert [len(members(segment)) for segment in (pro, buyers, both)] == [1, 1, 1]
    assert not Event.objects.filter(name=changes.ENTERED).exists()
    while changes.fold():
        pass
    pro.refresh_from_db()
    assert (pro.size, pro.changed_by) == (1, "what was stored as history")


def test_an_import_that_may_start_campaigns_tells_them() -> None:
    make_segment({"event": "Bought"}, "buyers")
    import_file("events", f"user_id,event,timestamp\nada,Bought,{timezone.now().isoformat()}\n", triggers=True)
    assert settle() == ["Entered buyers"]


def test_imported_groups_wake_colleagues() -> None:
    segment = make_segment(BIG, "big")
    ben = make_profile("ben")
    groups.relate(ben.pk, "company", "acme", {})
    settle()
    at = timezone.now().isoformat()
    for user in ("ada", "ben"):
        send(
            "group",
            {
                "userId": user,
                "groupId": "acme",
                "traits": {"plan": "big"},
                "integrations": {"All": False},
                "timestamp": at,
            },
            make_key(),
        )
    assert settle() == []
    assert len(members(segment)) == 2


def test_a_call_that_is_not_meant_for_campaigns_counts_for_segments() -> None:
    segment = make_segment({"event": "Bought", "count": {"gte": 2}}, "buyers")
    ada = make_profile("ada")
    key = make_key()
    for _ in range(2):
        send("track", {"userId": "ada", "event": "Bought", "integrations": {"All": False}}, key)
    assert settle() == []
    assert members(segment) == {ada.pk}


def test_what_is_due_and_to_be_told_is_told_although_history_comes_too() -> None:
    make_segment({"event": "Bought"}, "buyers")
    ada, visitor = make_profile("ada"), make_profile(None, anonymous_ids=("phone",))
    Event.objects.create(profile=visitor, type="track", name="Bought", timestamp=timezone.now())
    merging.merge_people(visitor.pk, ada.pk, ACTOR)
    send("track", {"userId": "ada", "event": "Bought", "integrations": {"All": False}}, make_key())
    assert settle() == ["Entered buyers"]


def test_lists_filled_without_a_word_wake_segments_that_ask_for_them() -> None:
    vip = make_segment(None, "vip", kind=Segment.Kind.MANUAL)
    others = make_segment({"not": {"segment": "vip"}}, "others")
    ada = make_profile("ada")
    lists.add(vip, [ada.pk], quiet=True)
    lists.remove(vip, [ada.pk], quiet=True)
    assert settle() == []
    assert members(others) == {ada.pk}
    lists.add(vip, [ada.pk], quiet=True)
    settle()
    assert members(others) == set()


@pytest.mark.parametrize("call", ["merge", "alias", "by_api"])
def test_whoever_becomes_one_person_is_asked_by_every_segment(call: str) -> None:
    make_segment({"all": [{"trait": "plan", "is": "pro"}, BIG, {"event": "Bought"}]}, "all")
    ada, visitor = make_profile("ada", traits={"plan": "pro"}), make_profile("visitor")
    Event.objects.create(profile=visitor, type="track", name="Bought", timestamp=timezone.now())
    groups.relate(visitor.pk, "company", "acme", {})
    groups.save_object("company", "acme", {"plan": "big"})
    assert settle() == []
    ways: dict[str, Callable[[], object]] = {
        "merge": lambda: merging.merge_people(visitor.pk, ada.pk, ACTOR),
        "alias": lambda: send("alias", {"previousId": "visitor", "userId": "ada"}, make_key()),
        "by_api": lambda: Client().post(
            "/api/v1/manage/profiles/merge/",
            json.dumps({"loser": "visitor", "winner": "ada"}),
            content_type="application/json",
            headers=manage_headers(),
        ),
    }
    ways[call]()
    assert settle() == ["Entered all"]


def manage_headers() -> dict[str, str]:
    return {"Authorization": f"Bearer {token('profiles:write')}"}


def test_a_person_who_is_heard_again_is_asked_as_anybody_new() -> None:
    account, segment = Account.make(), make_segment({"trait": "plan", "is": "pro"}, "pro")
    account.identify("ada", plan="pro")
    assert settle() == ["Entered pro"]
    account.customer("POST", "ada", "/suppress")
    assert members(segment) == set()
    account.identify("ada", plan="pro")
    account.customer("POST", "ada", "/unsuppress")
    assert settle() == [], "nothing is known of her"
    account.identify("ada", plan="pro")
    assert settle() == ["Entered pro"]


def test_devices_change_nothing_that_can_be_asked_about() -> None:
    account, segment = Account.make(), make_segment({"trait": "plan", "exists": False}, "plain")
    account.customer("PUT", "ada", "/devices", {"device": {"id": "d", "platform": "ios"}})
    assert settle() == ["Entered plain"], "she was made by it"
    account.customer("DELETE", "ada", "/devices/d")
    assert settle() == []
    assert len(members(segment)) == 1


def test_who_becomes_a_test_person_leaves_the_size_and_comes_back() -> None:
    segment = make_segment(None, "vip", kind=Segment.Kind.MANUAL)
    ada = make_profile("ada")
    lists.add(segment, [ada.pk])
    sizes = []
    for wanted in (True, True, False):
        testers.switch([ada.pk], wanted)
        while changes.fold():
            pass
        segment.refresh_from_db()
        sizes.append(segment.size)
    assert sizes == [0, 0, 1]
    assert members(segment) == {ada.pk}


def test_one_who_is_gone_is_passed_over() -> None:
    make_segment(BIG, "big")
    ada = make_profile("ada")
    groups.relate(ada.pk, "company", "acme", {})
    privacy.erase([ada.pk], ACTOR)
    assert settle() == []


def test_the_statements_of_an_import_do_not_grow_with_its_rows() -> None:
    for number in range(3):
        make_segment({"event": "Bought", "count": {"gte": number + 1}}, f"s{number}")

    def statements(rows: int) -> int:
        with CaptureQueriesContext(connection) as captured:
            at = timezone.now()
            text = "".join(f"u{number},Bought,{at.isoformat()}\n" for number in range(rows))
            import_file("events", "user_id,event,timestamp\n" + text)
        return len(captured)

    statements(1)
    assert statements(2) == statements(60)


def test_figures_tell_what_asking_costs_and_by_what_it_was_last_asked() -> None:
    segment = make_segment({"event": "Bought", "count": {"gte": 2}}, "buyers")
    make_segment({"event": "Viewed"}, "viewers")
    ada, ben = make_profile("ada"), make_profile("ben")
    key = make_key()
    for user in ("ada", "ben"):
        send("track", {"userId": user, "event": "Bought"}, key)
        send("track", {"userId": user, "event": "Viewed"}, key)
    follow()
    while changes.fold():
        pass
    segment.refresh_from_db()
    assert (segment.asked_by, segment.asked_of, segment.changed_at) == ("Bought", ben.pk, None)
    assert segment.asked_at is not None
    hour = segment.hours.get()
    assert (hour.asks, hour.asked, hour.entered) == (1, 2, 0)
    assert 0 < hour.seconds < 5
    privacy.erase([ben.pk], ACTOR)
    segment.refresh_from_db()
    assert segment.asked_of is None
    assert ada.pk not in members(segment)
