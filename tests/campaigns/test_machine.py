"""What the engine decides, by a clock that the test holds."""

from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from campaigns.engine.definition import parse
from campaigns.engine.machine import Decision, Entered, Facts, Left, Message, Position, advance
from campaigns.engine.steps import Workflow
from campaigns.reasons import Ending, Outcome

NOON = datetime(2026, 11, 18, 12, tzinfo=UTC)  # a Wednesday
START = Position("", 0, None)
DELAY = {"id": "wait", "kind": "delay", "seconds": 3600}
WINDOW = {"id": "hours", "kind": "window", "days": [0, 1, 2, 3, 4], "start": "09:00", "end": "17:00"}
MAIL = {"id": "mail", "kind": "send", "template": 1, "template_version": 7}


def workflow(*steps: dict[str, Any], **settings: Any) -> Workflow:
    return parse({"trigger": {"event": "Signed Up"}, "steps": list(steps), **settings})


def facts(now: datetime = NOON, paths: dict[str, str] | None = None, zone: str = "UTC") -> Facts:
    return Facts(now, ZoneInfo(zone), paths or {})


def kinds(decision: Decision) -> list[str]:
    return [type(effect).__name__ for effect in decision.effects]


def test_a_message_without_a_wait_is_made_at_once() -> None:
    decision = advance(workflow(MAIL), START, facts())
    assert decision.effects == (
        Entered(1, "mail", NOON),
        Message(1, "mail", 7),
        Left(1, "mail", NOON, Outcome.SENT),
    )
    assert decision.ending is Ending.COMPLETED


def test_a_delay_stays_until_its_time_and_not_a_second_longer() -> None:
    flow = workflow(DELAY, MAIL)
    waiting = advance(flow, START, facts())
    assert (waiting.due_at, kinds(waiting)) == (NOON + timedelta(hours=1), ["Entered"])
    early = advance(flow, waiting.position, facts(NOON + timedelta(minutes=59)))
    assert (early.due_at, early.effects) == (waiting.due_at, ())
    over = advance(flow, waiting.position, facts(NOON + timedelta(hours=1)))
    assert kinds(over) == ["Left", "Entered", "Message", "Left"]
    assert over.ending is Ending.COMPLETED


def test_speed_shortens_delays_and_nothing_else() -> None:
    flow = workflow(DELAY, WINDOW, MAIL, speed=360)
    assert advance(flow, START, facts()).due_at == NOON + timedelta(seconds=10)
    night = NOON.replace(hour=20)
    at_the_window = advance(flow, Position("wait", 1, night - timedelta(seconds=10)), facts(night))
    assert at_the_window.due_at == datetime(2026, 11, 19, 9, tzinfo=UTC)


def test_a_window_is_reckoned_in_the_persons_zone() -> None:
    flow = workflow(WINDOW, MAIL)
    assert advance(flow, START, facts(zone="Asia/Tokyo")).due_at == datetime(2026, 11, 19, 0, tzinfo=UTC)
    assert advance(flow, START, facts(zone="Europe/Vienna")).ending is Ending.COMPLETED


def test_someone_who_changes_zone_while_waiting_is_reckoned_anew() -> None:
    flow = workflow(WINDOW, MAIL)
    waiting = advance(flow, START, facts(zone="Asia/Tokyo"))
    assert waiting.due_at is not None
    moved = advance(flow, waiting.position, facts(waiting.due_at, zone="America/New_York"))
    assert moved.due_at == datetime(2026, 11, 19, 14, tzinfo=UTC)


def test_a_skipped_wait_is_noted_with_who_did_it_and_ends_one_wait_only() -> None:
    flow = workflow(DELAY, {**DELAY, "id": "again"}, MAIL)
    waiting = advance(flow, START, facts())
    skipped = advance(flow, waiting.position, facts(), skipped_by="ada")
    assert skipped.effects[0] == Left(1, "wait", NOON, Outcome.SKIPPED_BY_HAND, "by ada")
    assert skipped.position.step_id == "again" and skipped.due_at == NOON + timedelta(hours=1)


def branch(**paths: list[dict[str, Any]]) -> dict[str, Any]:
    trees = [{"id": key, "if": {"trait": "plan", "is": key}, "steps": steps} for key, steps in paths.items()]
    return {"id": "which", "kind": "branch", "paths": trees}


def test_a_branch_asks_takes_its_path_and_rejoins() -> None:
    flow = workflow(branch(pro=[DELAY], free=[]), MAIL)
    asked = advance(flow, START, facts())
    assert (asked.asks, kinds(asked)) == ("which", ["Entered"])
    pro = advance(flow, asked.position, facts(paths={"which": "pro"}))
    assert pro.position.step_id == "wait"
    for answer in ("free", ""):
        rejoined = advance(flow, asked.position, facts(paths={"which": answer}))
        assert [e for e in rejoined.effects if isinstance(e, Message)]
    after = advance(flow, pro.position, facts(NOON + timedelta(hours=1)))
    assert [e for e in after.effects if isinstance(e, Message)]


def test_an_exit_within_a_path_ends_the_journey() -> None:
    flow = workflow(branch(pro=[{"id": "out", "kind": "exit"}]), MAIL)
    asked = advance(flow, START, facts())
    ended = advance(flow, asked.position, facts(paths={"which": "pro"}))
    assert ended.ending is Ending.EXIT_STEP
    assert not [effect for effect in ended.effects if isinstance(effect, Message)]


@given(
    steps=st.lists(st.sampled_from([DELAY, WINDOW, MAIL]), min_size=1, max_size=6),
    gaps=st.lists(st.integers(0, 200_000), max_size=40),
    zone=st.sampled_from(["UTC", "Asia/Tokyo", "America/New_York"]),
)
def test_however_the_clock_runs_each_step_is_visited_once_in_order(
    steps: list[dict[str, Any]], gaps: list[int], zone: str
) -> None:
    flow = workflow(*({**step, "id": f"s{index}"} for index, step in enumerate(steps)))
    now, position, effects = NOON, START, []
    for gap in [0, *gaps, 10_000_000, 10_000_000, 10_000_000, 10_000_000, 10_000_000, 10_000_000, 10_000_000]:
        now += timedelta(seconds=gap)
        decision = advance(flow, position, facts(now, zone=zone))
        position = decision.position
        effects.extend(decision.effects)
        if decision.ending:
            break
        assert decision.due_at is not None and decision.due_at > now
    entered = [effect for effect in effects if isinstance(effect, Entered)]
    assert [e.visit for e in entered] == list(range(1, len(entered) + 1))
    assert [e.step_id for e in entered] == [f"s{index}" for index in range(len(entered))]
    sent = [effect.step_id for effect in effects if isinstance(effect, Message)]
    assert len(sent) == len(set(sent))


def test_a_step_kind_without_a_decider_cannot_exist() -> None:
    from campaigns.engine.definition import _BUILDERS
    from campaigns.engine.machine import DECIDERS

    assert len(DECIDERS) == len(_BUILDERS)
    with pytest.raises(KeyError):
        DECIDERS[int]  # type: ignore[index]
