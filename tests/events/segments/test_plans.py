"""How the database asks a condition is told by its own plan, without harm."""

from __future__ import annotations

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from events.models import Segment, SegmentMember
from events.patience import TooLong
from events.segments import plans
from tests.events.segments.test_membership import hear, make_segment
from tests.factories import make_event, make_profile

pytestmark = pytest.mark.django_db
OFTEN = {"all": [{"event": "Viewed", "count": {"gte": 3}, "within": "7d"}, {"trait": "plan", "is": "pro"}]}


def test_the_statement_that_is_explained_is_the_one_that_follows_people() -> None:
    make_segment({"event": "Bought"})
    with CaptureQueriesContext(connection) as context:
        hear(make_profile(), "Bought")
    (followed,) = [sql for sql in (query["sql"] for query in context.captured_queries) if sql.startswith("EXECUTE")]
    with connection.cursor() as cursor:
        cursor.execute("SELECT statement FROM pg_prepared_statements WHERE name = %s", [followed.split()[1]])
        told = cursor.fetchone()[0]
    with CaptureQueriesContext(connection) as context:
        assert plans.of_batch(Segment.objects.get())
    explained = next(query["sql"] for query in context.captured_queries if query["sql"].startswith("EXPLAIN"))
    told = told[told.index("SELECT") :]
    begin = told[: told.index("FROM")]
    assert begin in explained


def test_a_plan_that_was_run_has_times_and_has_changed_nothing() -> None:
    segment = make_segment(OFTEN)
    for _ in range(20):
        person = make_profile(traits={"plan": "pro"})
        for _ in range(5):
            make_event(person, "Viewed")
    for of in (plans.of_batch, plans.of_everyone):
        planned, ran = of(segment), of(segment, run=True)
        assert planned and ran
        assert " of the work, " in planned.sentence and "actual" not in "".join(planned.lines)
        assert " of the time, " in ran.sentence and " loops=1" in "".join(ran.lines)
        assert ran.lines[-1].startswith("Execution Time: ")
    assert not SegmentMember.objects.exists()
    # What surrounds it may write.
    hear(make_profile(), "Viewed")


def test_it_runs_in_a_transaction_that_may_not_write_and_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    segment = make_segment(OFTEN)
    make_profile()

    def explain(text: str) -> None:
        monkeypatch.setattr("events.segments.counting.text", lambda node, now: (text, ()))
        plans.of_everyone(segment, run=True)

    with pytest.raises(Exception, match="read-only transaction"):
        explain("DELETE FROM events_segmentmember")
    monkeypatch.setattr(plans, "SECONDS", 0.1)
    with pytest.raises(TooLong):
        explain("SELECT pg_sleep(10)")


def test_the_sentence_names_what_takes_most() -> None:
    lookup = {"Node Type": "Index Scan", "Relation Name": "events_event_2026_11", "Total Cost": 8, "Plan Rows": 1}
    subplan = {**lookup, "Parent Relationship": "SubPlan"}
    people = {"Node Type": "Seq Scan", "Relation Name": "events_profile", "Total Cost": 1000, "Plan Rows": 9}
    told = plans._sentence({**people, "Plans": [subplan]}, run=False)
    assert told == "Most of the work, 100 % as the database reckons it, goes into looking up events by an index."
    times = {"Actual Loops": 1, "Actual Total Time": 40.0}
    once = {**subplan, "Actual Loops": 10, "Actual Total Time": 1.0}
    told = plans._sentence({**people, **times, "Plans": [once]}, run=True)
    assert told == "Most of the time, 75 % of 40.0 ms, goes into reading all people one after the other."


def test_there_is_no_plan_without_a_condition() -> None:
    assert plans.of_batch(make_segment(None, "vip", kind=Segment.Kind.MANUAL)) is None
    assert plans.of_everyone(make_segment({"left": "room"}, "odd"), run=True) is None
