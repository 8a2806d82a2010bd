"""Whoever lives in another time zone now is in the segments of its days, and waits for its minutes."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from pytest_django import Settings

from events.conditions import parse
from events.models import Event, Profile, Segment, SegmentTurn
from events.segments import building, live, statements, turning
from tests.events.segments.test_asking import import_file, settle
from tests.events.segments.test_membership import follow, make_segment, members
from tests.factories import make_event, make_key, make_profile
from tests.tracking import send

pytestmark = pytest.mark.django_db
NEW_YORK, VIENNA, KIRITIMATI = "America/New_York", "Europe/Vienna", "Pacific/Kiritimati"
RENEWED = {"trait": "renews", "within_last": "1d"}
SINCE_JUNE = {"event": "Bought", "since": "2026-06-01"}
# June has begun in Kiritimati, not in New York.
LAST_OF_MAY = datetime(2026, 5, 31, 20, tzinfo=UTC)


def travel(person: Profile, zone: str, key: str = "", call: str = "page") -> None:
    """Let a device of the person report from a zone."""
    body = {"userId": person.user_id, "name": "Home", "event": "Looked", "context": {"timezone": zone}}
    assert send(call, body, key or make_key()).status_code == 200


def turn_at(person: Profile) -> datetime:
    return SegmentTurn.objects.get(profile=person).look_at


@pytest.mark.parametrize(
    ("local", "in_vienna", "in_new_york"),
    [
        # 02:30 does not come in Vienna that night, and comes twice in the autumn: see docs/conditions.md.
        ("2027-03-28T02:30", datetime(2027, 3, 28, 1, 30, tzinfo=UTC), datetime(2027, 3, 28, 6, 30, tzinfo=UTC)),
        ("2027-10-31T02:30", datetime(2027, 10, 31, 1, 30, tzinfo=UTC), datetime(2027, 10, 31, 6, 30, tzinfo=UTC)),
        ("2027-11-07T01:30", datetime(2027, 11, 7, 0, 30, tzinfo=UTC), datetime(2027, 11, 7, 6, 30, tzinfo=UTC)),
        ("2027-07-01", datetime(2027, 6, 30, 22, tzinfo=UTC), datetime(2027, 7, 1, 4, tzinfo=UTC)),
    ],
)
def test_a_minute_that_was_waited_for_moves_with_the_person(
    local: str, in_vienna: datetime, in_new_york: datetime
) -> None:
    make_segment(RENEWED, "renewed")
    ada = make_profile("ada", traits={"renews": local})
    travel(ada, NEW_YORK)
    assert settle() == [] and turn_at(ada) == in_new_york
    travel(ada, VIENNA)
    assert settle() == [], "nobody is woken by a journey alone"
    assert turn_at(ada) == in_vienna
    assert turning.turn_batch(in_vienna - timedelta(seconds=1)) == 0
    assert turning.turn_batch(in_vienna) == 1 and follow() == ["Entered renewed"]
    travel(ada, NEW_YORK)
    assert turning.turn_batch(in_vienna + timedelta(minutes=1)) == 1 and follow() == ["Left renewed"]
    assert turn_at(ada) == in_new_york
    assert turning.turn_batch(in_new_york) == 1 and follow() == ["Entered renewed"]


def test_days_of_the_past_begin_elsewhere_at_another_time() -> None:
    segment = make_segment(SINCE_JUNE, "june")
    ada, ben = make_profile("ada"), make_profile("ben", time_zone=KIRITIMATI)
    for person in (ada, ben):
        make_event(person, "Bought", timestamp=LAST_OF_MAY)
    travel(ada, KIRITIMATI)
    assert settle() == ["Entered june"] and members(segment) == {ada.pk}, "ben has not moved"
    travel(ada, NEW_YORK, call="track")
    assert settle() == ["Left june"]
    key = make_key()
    send("identify", {"userId": "ada", "traits": {"timezone": KIRITIMATI}}, key)
    assert settle() == ["Entered june"]
    travel(ada, NEW_YORK)
    assert settle() == [], "a trait wins over what a device says"


def test_who_stays_or_is_asked_of_no_days_is_left_alone() -> None:
    make_segment({"all": [{"event": "Bought", "within": "7d"}, {"trait": "plan", "is": "pro"}]}, "plain")
    ada = make_profile("ada")
    travel(ada, VIENNA)
    assert not SegmentTurn.objects.exists()
    make_segment(SINCE_JUNE, "june")
    travel(ada, VIENNA)
    assert not SegmentTurn.objects.exists()
    travel(ada, NEW_YORK)
    assert SegmentTurn.objects.get().segment.slug == "june"


def test_a_zone_from_a_file_is_history() -> None:
    segment = make_segment(SINCE_JUNE, "june")
    ada = make_profile("ada")
    make_event(ada, "Bought", timestamp=LAST_OF_MAY)
    import_file("profiles", f"user_id,timezone\nada,{KIRITIMATI}\n")
    assert settle() == [] and members(segment) == {ada.pk}


def test_another_zone_of_the_installation_asks_everybody_and_tells_nobody(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    june, plain = make_segment(SINCE_JUNE, "june"), make_segment({"event": "Bought"}, "plain")
    ada, ben = make_profile("ada"), make_profile("ben", time_zone=NEW_YORK)
    for person in (ada, ben):
        make_event(person, "Bought", timestamp=LAST_OF_MAY)
    settings.FALLBACK_TIME_ZONE = NEW_YORK
    building.build(time.monotonic() + 30)
    assert members(june) == set(), "it is noted what was reckoned with so far"
    settings.FALLBACK_TIME_ZONE = KIRITIMATI
    # As the processes that are started with it.
    monkeypatch.setattr(statements, "_made", {})
    building.begin_in_zone()
    states = dict(Segment.objects.values_list("slug", "state"))
    assert states == {"june": Segment.State.BUILDING, "plain": Segment.State.LIVE}
    building.build(time.monotonic() + 30)
    assert members(june) == {ada.pk} and members(plain) == set()
    assert not Event.objects.filter(name="Segment Entered").exists()
    building.begin_in_zone()
    assert not Segment.objects.filter(state=Segment.State.BUILDING).exists()


@pytest.mark.parametrize(
    ("condition", "needs"),
    [
        ({"trait": "plan", "is": "pro"}, False),
        ({"trait": "born", "before": "2026-05-01T00:00Z"}, True),
        ({"event": "X", "where": {"property": "due", "within_next": "1d"}}, True),
        ({"group": "company", "trait": "since", "after": "2026-01-01"}, True),
        ({"event": "X", "since": "2026-01-01"}, True),
        ({"event": "X", "since": "2026-01-01T00:00Z"}, False),
        ({"event": "X", "within": "7d"}, False),
        ({"event": "X", "first": {"before": "2026-01-01"}}, True),
        ({"event": "X", "last": {"before": "-7d"}}, False),
        ({"not": {"sequence": [{"event": "X"}, {"event": "Y"}], "since": "2026-01-01"}}, True),
    ],
)
def test_which_conditions_reckon_in_somebodys_zone(condition: Any, needs: bool) -> None:
    assert live.interest(parse(condition)).zone is needs
