"""How many people meet a condition, and who: exactly, or by people chosen at random where that takes too long."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.utils import timezone

from events import patience
from events.conditions import parse
from events.conditions.nodes import What
from events.models import Profile
from events.segments import counting
from tests.factories import make_event, make_profile

pytestmark = pytest.mark.django_db
PRO = parse({"trait": "plan", "is": "pro"})
DEAR = parse({"property": "total", "gt": 50})
ORDER = What("Order Completed")


def timeout() -> str:
    with connection.cursor() as cursor:
        cursor.execute("SELECT current_setting('statement_timeout')")
        return str(cursor.fetchone()[0])


def test_people_are_counted_and_the_newest_are_shown_without_test_people() -> None:
    made = [make_profile(traits={"plan": "pro"}).pk for _ in range(12)]
    make_profile(traits={"plan": "free"})
    make_profile(traits={"plan": "pro"}, is_test=True)
    found = counting.find(PRO)
    assert (found.people, found.of, found.exact) == (12, 13, True)
    assert list(found.some) == sorted(made, reverse=True)[: counting.SHOWN]
    assert counting.find(parse({"trait": "plan", "is": "max"})).some == ()


def test_an_event_at_hand_is_each_persons_last_one_of_late() -> None:
    now = timezone.now()

    def ordered(*totals: tuple[int, int], **columns: Any) -> int:
        person = make_profile(**columns)
        for days, total in totals:
            make_event(person, "Order Completed", {"total": total}, timestamp=now - timedelta(days=days))
        return person.pk

    last_dear = ordered((9, 10), (2, 90))
    ordered((9, 90), (2, 10))
    ordered((40, 90))
    ordered((2, 90), is_test=True)
    twins = now - timedelta(days=1)
    twice = make_profile()
    for total in (10, 90):
        make_event(twice, "Order Completed", {"total": total}, timestamp=twins)
    found = counting.find(DEAR, ORDER)
    assert (found.people, found.of, list(found.some)) == (2, 4, [twice.pk, last_dear])


def test_where_counting_takes_too_long_people_chosen_at_random_stand_for_all(monkeypatch: pytest.MonkeyPatch) -> None:
    with connection.cursor() as cursor:  # ids are drawn, and other tests have used up many
        cursor.execute("ALTER TABLE events_profile ALTER COLUMN id RESTART WITH 1")
    for number in range(40):
        person = make_profile(traits={"plan": "pro" if number % 2 else "free"})
        make_event(person, "Order Completed", {"total": 90 if number % 4 == 0 else 10})
    too_long(monkeypatch)
    found = counting.find(PRO)
    # Two thousand draws out of some forty people miss hardly anybody.
    assert found.exact is False and found.of == 40 and 18 <= found.people <= 22
    assert len(found.some) == counting.SHOWN
    assert set(Profile.objects.filter(pk__in=found.some).values_list("traits__plan", flat=True)) == {"pro"}
    assert 8 <= counting.find(DEAR, ORDER).people <= 12


def too_long(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let exact counts take longer than is waited: a real statement that the real server cancels."""

    def count(*args: Any) -> int:
        with patience.at_most(0.05), connection.cursor() as cursor:
            cursor.execute("SELECT pg_sleep(5)")
        return 0

    monkeypatch.setattr(counting, "count", count)
    monkeypatch.setattr(counting, "_count_events", count)


def test_a_statement_that_takes_too_long_is_given_up_and_the_settings_are_as_before() -> None:
    before = timeout()
    with pytest.raises(patience.TooLong), patience.at_most(0.05), connection.cursor() as cursor:
        cursor.execute("SELECT pg_sleep(5)")
    assert timeout() == before
    with patience.at_most(2, {"work_mem": "64MB"}):
        assert timeout() == "2s"
    assert timeout() == before
