"""Goals: counted from the log by time, whatever the order of arrival."""

from __future__ import annotations

import time
from datetime import timedelta

import pytest
import time_machine
from django.utils import timezone

from campaigns import metrics, runner
from campaigns.models import Journey, Visit
from campaigns.reasons import Ending, Outcome
from messaging.models import Message
from tests.campaigns.flow import delay, happens, make_campaign, send, settle
from tests.factories import make_event, make_profile

pytestmark = pytest.mark.django_db
GOAL = {"event": "Order Completed", "where": {"property": "total", "gt": 10}, "hours": 24}


def test_the_goal_ends_the_journey_and_counts_once() -> None:
    campaign, ada = make_campaign(delay(), send(), goal=GOAL), make_profile()
    happens(ada)
    settle()
    for _ in range(2):
        happens(ada, "Order Completed", {"total": 20})
        settle()
    journey = Journey.objects.get()
    assert (journey.state, journey.ending) == (Journey.State.ENDED, Ending.GOAL)
    assert journey.converted_at is not None
    assert Visit.objects.get().outcome == Outcome.INTERRUPTED
    assert metrics.totals(campaign)[""] == {"entered": 1, "ended": 1, "converted": 1}
    with time_machine.travel(timezone.now() + timedelta(hours=2)):
        settle()
    assert not Message.objects.exists()


def test_an_order_that_does_not_qualify_or_lies_before_the_entry_is_no_goal() -> None:
    make_campaign(delay(), send(), goal=GOAL)
    ada = make_profile()
    make_event(ada, "Order Completed", {"total": 20}, timestamp=timezone.now() - timedelta(hours=1))
    happens(ada)
    settle()
    happens(ada, "Order Completed", {"total": 5})
    settle()
    assert Journey.objects.get().converted_at is None


def test_of_events_in_the_same_millisecond_the_later_in_the_log_came_later() -> None:
    make_campaign(delay(), send(), goal={"event": "Order Completed"})
    now, before, after = timezone.now(), make_profile(), make_profile()
    make_event(before, "Order Completed", timestamp=now)
    happens(before, timestamp=now)
    happens(after, timestamp=now)
    happens(after, "Order Completed", timestamp=now)
    settle()
    assert [j.profile for j in Journey.objects.filter(ending=Ending.GOAL)] == [after]


def test_a_goal_after_the_last_step_counts_within_its_time_only() -> None:
    campaign = make_campaign(goal=GOAL)
    in_time, too_late = make_profile(), make_profile()
    happens(in_time)
    happens(too_late)
    settle()
    happens(in_time, "Order Completed", {"total": 20}, timestamp=timezone.now() + timedelta(hours=23))
    happens(too_late, "Order Completed", {"total": 20}, timestamp=timezone.now() + timedelta(hours=25))
    settle()
    assert metrics.totals(campaign)[""]["converted"] == 1
    assert Journey.objects.get(profile=in_time).ending == Ending.COMPLETED


def test_a_goal_that_came_in_before_its_trigger_is_seen() -> None:
    """The trigger's own event is late: by the clock of both events the goal came after it."""
    make_campaign(delay(), send(), goal=GOAL)
    ada = make_profile()
    happens(ada, "Order Completed", {"total": 20}, timestamp=timezone.now())
    settle()
    happens(ada, timestamp=timezone.now() - timedelta(minutes=5))
    settle()
    assert Journey.objects.get().ending == Ending.GOAL


def test_a_goal_that_is_stored_but_not_evaluated_yet_stops_the_message() -> None:
    make_campaign(delay(), send(), goal=GOAL)
    ada = make_profile()
    happens(ada)
    settle()
    happens(ada, "Order Completed", {"total": 20}, timestamp=timezone.now() + timedelta(minutes=1))
    with time_machine.travel(timezone.now() + timedelta(hours=2)):
        runner.run_due(time.monotonic() + 60)
    assert Journey.objects.get().ending == Ending.GOAL
    assert not Message.objects.exists()


def test_test_people_are_kept_out_of_the_figures() -> None:
    campaign = make_campaign(goal=GOAL)
    tester = make_profile(is_test=True)
    happens(tester)
    settle()
    happens(tester, "Order Completed", {"total": 20})
    settle()
    assert Journey.objects.get().converted_at is not None
    assert metrics.totals(campaign) == {}
