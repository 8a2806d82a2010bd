"""Spans, rules, differences and whereabouts in plain words."""

from __future__ import annotations

import copy
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from campaigns.admin import compare, starts, weekdays, words
from campaigns.admin.standing import standing
from campaigns.models import Campaign, Journey
from campaigns.reasons import Ending
from events.models import Segment
from events.searching import Search
from messaging.models import Topic

VIENNA = ZoneInfo("Europe/Vienna")
NOW = datetime(2026, 11, 20, 16, 30, tzinfo=UTC)  # a Friday, 17:30 in Vienna
DELAY = {"id": "wait", "kind": "delay", "name": "Wait an hour", "seconds": 3600}
WINDOW = {"id": "hours", "kind": "window", "name": "Office hours"}


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "no time"),
        (0.2, "less than a second"),
        (1, "1 second"),
        (90, "1 minute 30 seconds"),
        (3600, "1 hour"),
        (93_784, "1 day 2 hours"),
        (604_800, "7 days"),
    ],
)
def test_spans_are_said_with_their_two_largest_units(seconds: float, text: str) -> None:
    assert words.span(seconds) == text


@pytest.mark.parametrize(
    ("days", "text"),
    [
        ([0, 1, 2, 3, 4], "Mon–Fri"),
        ([6, 5], "Sat–Sun"),
        ([0, 2, 3, 6], "Mon, Wed–Thu, Sun"),
        (range(7), "every day"),
        ([], "on no day"),
    ],
)
def test_days_are_said_in_runs(days: list[int], text: str) -> None:
    assert weekdays.say(days) == text


@pytest.mark.parametrize("spans", [[1], [60], [5400], [3600, 5400], [86_400], [90_000, 86_400], [604_800]])
def test_spans_are_shown_in_a_unit_that_loses_nothing(spans: list[int]) -> None:
    unit = words.common_unit(spans)
    shown = [words.in_unit(span, unit) for span in spans]
    assert [number * words.UNITS[unit] for number in shown] == spans
    assert all(isinstance(number, int) for number in shown)


def test_a_step_without_a_name_is_called_by_what_it_does() -> None:
    assert words.name({"kind": "delay", "seconds": 60}) == "Wait 1 minute"
    assert words.name({"kind": "send", "name": " "}) == "Send a mail"
    assert words.name({"kind": "delay", "seconds": 60, "most": 120}) == "Wait 1 minute to 2 minutes"
    tuesday = {"kind": "delay", "until": {"days_of_week": [1], "at": "09:00"}}
    assert words.name(tuesday) == "Wait until it is 09:00 on Tue"
    assert words.name({"kind": "telephone"}) == "telephone"


@pytest.mark.parametrize(
    ("until", "said"),
    [
        ({"trait": "renews_at", "days": -14, "at": "09:00"}, "Wait until 14 days before the person’s renews_at, 09:00"),
        ({"trait": ["a.b", "c"], "days": 1}, "Wait until 1 day after the person’s a.b.c"),
        ({"trait": "birthday", "days": 0, "at": ""}, "Wait until the person’s birthday"),
    ],
)
def test_a_wait_for_a_date_says_how_far_from_it_and_when(until: dict[str, Any], said: str) -> None:
    summary = words.summary({"kind": "delay", "until": until}, 1, {})
    assert summary == f"{said}; who has no such date goes on at once"


def test_a_path_by_chance_says_its_part_of_all() -> None:
    step = {"kind": "split", "paths": [{"id": "a", "weight": 1}, {"id": "b", "weight": 3}, {"id": "c"}]}
    assert [words.path(step, path) for path in step["paths"]] == [
        "25 % of all people",
        "75 % of all people",
        "No part of all people",
    ]


# --- What differs between two definitions ---


def sample() -> dict[str, Any]:
    return {
        "trigger": {"event": "Signed Up"},
        "steps": [
            {"id": "wait", "kind": "delay", "seconds": 3600},
            {"id": "mail", "kind": "send", "name": "Hello", "template": 1, "template_version": 7},
        ],
    }


def test_what_publishing_adds_is_no_difference() -> None:
    draft = sample()
    del draft["steps"][1]["template_version"]
    assert not compare.differ(sample(), draft)
    assert compare.changes(sample(), draft, {}) == []
    assert compare.thawed(sample())["steps"][1] == {"id": "mail", "kind": "send", "name": "Hello", "template": 1}


def test_differences_are_listed_in_words() -> None:
    after = sample()
    after["trigger"]["event"] = "Logged In"
    after["goal"] = {"event": "Order Completed", "hours": 24}
    after["speed"] = 60
    after["steps"][0]["seconds"] = 7200
    after["steps"][1]["id"] = "mail-2"
    assert compare.changes(sample(), after, {1: "Greeting"}) == [
        "Trigger: Signed Up → Logged In",
        "Goal: No goal: conversions are not counted → Order Completed, within 1 day of entering",
        "Settings: The installation’s time zone for people whose own is unknown; real time → "
        "The installation’s time zone for people whose own is unknown; waits run 60 times faster, for trying out",
        "Removed: Hello (Send “Greeting”)",
        "Changed: Wait 1 hour → Wait 2 hours",
        "Added: Hello (Send “Greeting”)",
    ]


def test_who_leaves_early_is_a_difference() -> None:
    after = {**sample(), "exits": [{"when": "event", "event": "Paid", "same": "order_id"}, {"when": "unsubscribe"}]}
    assert compare.changes(sample(), after, {}) == [
        "Leaving early: Nobody: everybody goes on to the end, or to the goal → "
        "A journey ends when Paid with the same order_id comes; when they unsubscribe"
    ]


def test_another_order_is_a_difference() -> None:
    after = copy.deepcopy(sample())
    after["steps"].reverse()
    assert compare.changes(sample(), after, {}) == ["The order of the steps changed."]


def test_a_step_moved_into_a_path_is_a_difference() -> None:
    before = sample()
    before["steps"].append({"id": "split", "kind": "branch", "paths": [{"id": "p", "if": {"trait": "a", "is": 1}}]})
    after = copy.deepcopy(before)
    after["steps"][2]["paths"][0]["steps"] = []
    assert compare.changes(before, after, {}) == []
    before["steps"].append({"id": "end", "kind": "exit"})
    after["steps"][2]["paths"][0]["steps"].append({"id": "end", "kind": "exit"})
    assert compare.changes(before, after, {}) == ["The order of the steps changed."]


# --- Where a journey stands ---


def journey(**columns: Any) -> Journey:
    defaults = {"state": "waiting", "step_id": "wait", "due_at": NOW + timedelta(minutes=12)}
    return Journey(**{**defaults, **columns})


@pytest.mark.parametrize(
    ("columns", "step", "text", "tone"),
    [
        ({}, DELAY, "Waiting at “Wait an hour” until 16:42 UTC", "info"),
        (
            {"due_at": datetime(2026, 11, 23, 8, 0, tzinfo=UTC)},
            WINDOW,
            "At “Office hours”: outside these hours until Monday 09:00 Europe/Vienna",
            "info",
        ),
        ({"due_at": datetime(2027, 1, 2, 8, 0, tzinfo=UTC)}, DELAY, "until 2027-01-02 08:00 UTC", "info"),
        ({"due_at": NOW}, DELAY, "moves on at any moment", "info"),
        (
            {"due_at": NOW - timedelta(minutes=5)},
            DELAY,
            "due 16:25 UTC, but not moved yet. Does the worker run?",
            "warn",
        ),
        ({"step_id": "", "due_at": NOW}, None, "At the start: moves on", "info"),
        ({"step_id": "gone"}, None, "Waiting at “gone”", "info"),
        ({"state": "paused"}, DELAY, "Held at “Wait an hour”: the campaign is paused", "warn"),
        ({"state": "stuck", "error": "KeyError: x"}, DELAY, "Stuck at “Wait an hour”: KeyError: x", "bad"),
        ({"state": "ended", "ending": Ending.COMPLETED}, None, "Went through every step", "muted"),
        ({"state": "ended", "ending": Ending.GOAL, "converted_at": NOW}, None, "Reached the goal", "ok"),
        (
            {"state": "ended", "ending": Ending.COMPLETED, "converted_at": NOW},
            None,
            "Went through every step, and later reached the goal",
            "ok",
        ),
    ],
)
def test_where_a_journey_stands(columns: dict[str, Any], step: Any, text: str, tone: str) -> None:
    found = standing(journey(**columns), step, VIENNA, NOW)
    assert text in found.text
    assert found.tone == tone
    assert found.until is None or found.until > NOW


@pytest.mark.django_db
def test_segments_topics_and_campaigns_are_called_by_the_names_that_people_know() -> None:
    Segment.objects.create(slug="power", name="Power users")
    Topic.objects.create(slug="news", name="The newsletter")
    Campaign.objects.create(slug="winback", name="Win them back")
    before = {"trigger": {"event": "Signed Up"}, "steps": []}
    after = {
        "trigger": {"kind": "segment", "segment": "power", "moved": "left"},
        "steps": [
            {"id": "join", "kind": "subscribe", "topic": "news", "subscribed": True},
            {"id": "on", "kind": "start", "campaign": "winback"},
            {"id": "gone", "kind": "start", "campaign": "deleted"},
        ],
        "priority": "high",
    }
    said = "\n".join(compare.changes(before, after, {}))
    for words_of in (
        "Somebody leaves the segment “Power users”",
        "Subscribe to the topic “The newsletter”",
        "Let the person into the campaign “Win them back”",
        "Let the person into the campaign deleted",
        "high priority",
    ):
        assert words_of in said
    entered = starts.because("Segment Entered", {"segment": "power", "name": "Power users"})
    assert entered == "entered the segment “Power users”"
    assert Search(segment="power").words() == "in the segment “Power users”"
