"""What the engine decides, by a clock that the test holds."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from campaigns.engine.deciding import DECIDERS, Answer, Called, Facts, Met, Position
from campaigns.engine.definition import parse
from campaigns.engine.machine import Act, Decision, Entered, Left, Message, advance
from campaigns.engine.steps import Workflow
from campaigns.reasons import Ending, Outcome

NOON = datetime(2026, 11, 18, 12, tzinfo=UTC)  # a Wednesday
START = Position("", 0, None)
DELAY = {"id": "wait", "kind": "delay", "seconds": 3600}
WINDOW = {"id": "hours", "kind": "window", "days": [0, 1, 2, 3, 4], "start": "09:00", "end": "17:00"}
MAIL = {"id": "mail", "kind": "send", "template": 1, "template_version": 7}


def workflow(*steps: dict[str, Any], **settings: Any) -> Workflow:
    return parse({"trigger": {"event": "Signed Up"}, "steps": list(steps), **settings})


def facts(
    now: datetime = NOON, answers: dict[str, Answer] | None = None, zone: str = "UTC", profile_id: int = 0
) -> Facts:
    return Facts(now, ZoneInfo(zone), answers or {}, profile_id=profile_id)


def stored(decision: Decision) -> Position:
    """Return where the journey stands once others can see it."""
    return replace(decision.position, fresh=False)


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
    pro = advance(flow, asked.position, facts(answers={"which": "pro"}))
    assert pro.position.step_id == "wait"
    for answer in ("free", ""):
        rejoined = advance(flow, asked.position, facts(answers={"which": answer}))
        assert [e for e in rejoined.effects if isinstance(e, Message)]
    after = advance(flow, pro.position, facts(NOON + timedelta(hours=1)))
    assert [e for e in after.effects if isinstance(e, Message)]


def test_an_exit_within_a_path_ends_the_journey() -> None:
    flow = workflow(branch(pro=[{"id": "out", "kind": "exit"}]), MAIL)
    asked = advance(flow, START, facts())
    ended = advance(flow, asked.position, facts(answers={"which": "pro"}))
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
    from campaigns.engine.steps import Step

    kinds = {kind.__name__ for kind in Step.__subclasses__() if kind.__module__ == "campaigns.engine.steps"}
    assert {kind.__name__ for kind in DECIDERS} == kinds


def test_a_delay_by_chance_lies_in_its_range_and_is_the_same_whenever_asked() -> None:
    flow = workflow({**DELAY, "seconds": 600, "most": 1200}, MAIL)
    dues = []
    for journey_id in range(200):
        first = advance(flow, START, replace(facts(), journey_id=journey_id))
        later = replace(facts(NOON + timedelta(minutes=5)), journey_id=journey_id)
        assert advance(flow, stored(first), later).due_at == first.due_at
        assert first.due_at is not None
        dues.append(first.due_at - NOON)
    assert timedelta(seconds=600) <= min(dues) < timedelta(seconds=700)
    assert timedelta(seconds=1100) < max(dues) <= timedelta(seconds=1200)


TUESDAY = {"id": "tuesday", "kind": "delay", "until": {"days_of_week": [1], "at": "09:00"}}


@pytest.mark.parametrize(
    ("now", "due"),
    [
        (NOON, datetime(2026, 11, 24, 8, tzinfo=UTC)),
        (datetime(2026, 11, 24, 7, 59, tzinfo=UTC), datetime(2026, 11, 24, 8, tzinfo=UTC)),
        (datetime(2026, 11, 24, 8, 1, tzinfo=UTC), datetime(2026, 12, 1, 8, tzinfo=UTC)),
        (datetime(2026, 10, 21, 12, tzinfo=UTC), datetime(2026, 10, 27, 8, tzinfo=UTC)),  # summer time ends between
    ],
)
def test_a_delay_until_tuesday_at_nine_is_reckoned_in_the_persons_zone(now: datetime, due: datetime) -> None:
    assert advance(workflow(TUESDAY, MAIL), START, facts(now, zone="Europe/Vienna")).due_at == due


def test_a_delay_until_a_date_is_shifted_by_days_of_the_calendar() -> None:
    step = {"id": "renewal", "kind": "delay", "until": {"trait": "renews_at", "days": -14, "at": "09:00"}}
    flow = workflow(step, MAIL)
    asked = advance(flow, START, facts())
    assert asked.asks == "renewal"
    renews = datetime(2027, 3, 31, 22, tzinfo=UTC)  # 1 April in Vienna, where summer time has begun
    waits = advance(flow, asked.position, facts(answers={"renewal": renews}, zone="Europe/Vienna"))
    assert waits.due_at == datetime(2027, 3, 18, 8, tzinfo=UTC)
    past = advance(flow, asked.position, facts(answers={"renewal": NOON - timedelta(days=1)}))
    assert past.ending is Ending.COMPLETED
    unknown = advance(flow, asked.position, facts(answers={"renewal": None}))
    assert unknown.ending is Ending.COMPLETED
    assert any(isinstance(e, Left) and e.detail == "No such date is known of the person" for e in unknown.effects)


def split(*weights: int) -> dict[str, Any]:
    mails = [{**MAIL, "id": f"mail{place}", "template_version": place} for place in range(len(weights))]
    paths = [{"id": f"p{place}", "weight": weight, "steps": [mails[place]]} for place, weight in enumerate(weights)]
    return {"id": "ab", "kind": "split", "paths": paths}


def chosen_path(flow: Workflow, profile_id: int) -> int:
    effects = advance(flow, START, facts(profile_id=profile_id)).effects
    return next(effect.template_version for effect in effects if isinstance(effect, Message))


def test_a_split_keeps_to_its_weights_and_to_the_person() -> None:
    flow = workflow(split(70, 20, 10, 0))
    taken = [chosen_path(flow, profile_id) for profile_id in range(5_000)]
    assert taken == [chosen_path(flow, profile_id) for profile_id in range(5_000)]
    shares = [taken.count(place) / 5_000 for place in range(4)]
    assert shares == pytest.approx([0.7, 0.2, 0.1, 0], abs=0.02)


def test_two_splits_divide_people_independently() -> None:
    one, other = workflow(split(50, 50)), workflow({**split(50, 50), "id": "cd"})
    both = sum(chosen_path(one, person) == chosen_path(other, person) == 0 for person in range(5_000))
    assert both / 5_000 == pytest.approx(0.25, abs=0.02)


def wait(seconds: int = 3600) -> dict[str, Any]:
    paths = [{"id": "met", "steps": [{**MAIL, "id": "thanks"}]}, {"id": "late", "steps": [{**MAIL, "id": "nudge"}]}]
    return {"id": "bought", "kind": "wait", "event": "Order Completed", "seconds": seconds, "paths": paths}


def mails(decision: Decision) -> list[str]:
    return [effect.step_id for effect in decision.effects if isinstance(effect, Message)]


def test_a_wait_looks_once_more_when_it_can_be_woken_and_then_waits_for_its_limit() -> None:
    flow = workflow(wait(), MAIL)
    asked = advance(flow, START, facts())
    assert asked.asks == "bought"
    fresh = advance(flow, asked.position, facts(answers={"bought": Met(False)}))
    assert fresh.due_at == NOON
    again = advance(flow, stored(fresh), facts(answers={"bought": Met(False)}))
    assert again.due_at == NOON + timedelta(hours=1)
    by_time = advance(flow, stored(fresh), facts(answers={"bought": Met(False, NOON + timedelta(minutes=5))}))
    assert by_time.due_at == NOON + timedelta(minutes=5)
    met = advance(flow, stored(fresh), facts(answers={"bought": Met(True)}))
    assert mails(met) == ["thanks", "mail"]
    late = advance(flow, stored(fresh), facts(NOON + timedelta(hours=1), answers={"bought": Met(False)}))
    assert mails(late) == ["nudge", "mail"]


def test_skipping_a_wait_takes_the_path_of_those_whose_time_is_over() -> None:
    flow = workflow(wait(), MAIL)
    standing = Position("bought", 1, NOON)
    skipped = advance(flow, standing, facts(answers={"bought": Met(False)}), skipped_by="ada")
    assert mails(skipped) == ["nudge", "mail"]


def test_holding_until_quiet_begins_anew_with_each_event_but_not_for_ever() -> None:
    flow = workflow({"id": "quiet", "kind": "quiet", "event": "Product Viewed", "seconds": 600, "most": 1800}, MAIL)
    standing = Position("quiet", 1, NOON)
    minutes = lambda number: NOON + timedelta(minutes=number)  # noqa: E731
    assert advance(flow, standing, facts(minutes(1), answers={"quiet": None})).due_at == minutes(10)
    assert advance(flow, standing, facts(minutes(9), answers={"quiet": minutes(8)})).due_at == minutes(18)
    assert advance(flow, standing, facts(minutes(27), answers={"quiet": minutes(26)})).due_at == minutes(30)
    assert mails(advance(flow, standing, facts(minutes(30), answers={"quiet": minutes(29)}))) == ["mail"]


def test_a_call_is_made_on_entering_and_its_end_or_the_limit_moves_on() -> None:
    call = {"id": "crm", "kind": "call", "url": "https://crm.example.com/hook", "seconds": 60}
    flow = workflow(call, MAIL)
    first = advance(flow, START, facts())
    assert [effect for effect in first.effects if isinstance(effect, Act)] == [Act(1, "crm")]
    assert first.due_at == NOON + timedelta(seconds=60)
    standing = stored(first)
    assert advance(flow, standing, facts()).asks == "crm"
    assert advance(flow, standing, facts(answers={"crm": None})).due_at == first.due_at
    answered = advance(flow, standing, facts(answers={"crm": Called(True, "200 OK")}))
    assert answered.effects[0] == Left(1, "crm", NOON, Outcome.ANSWERED, "200 OK")
    over = advance(flow, standing, facts(NOON + timedelta(seconds=60), answers={"crm": None}))
    assert over.effects[0] == Left(1, "crm", NOON + timedelta(seconds=60), Outcome.CALL_FAILED, "No answer in time")


def test_going_back_is_bounded_and_each_round_is_a_move_of_its_own() -> None:
    flow = workflow(MAIL, {"id": "again", "kind": "goto", "to": "mail", "times": 2})
    position, sent, rounds = START, [], 0
    decision = advance(flow, position, facts())
    while not decision.ending:
        if decision.asks:
            decision = advance(flow, decision.position, facts(answers={"again": rounds}))
            rounds += any(isinstance(e, Left) and e.outcome is Outcome.WENT_BACK for e in decision.effects)
        else:
            assert decision.due_at == NOON
            decision = advance(flow, stored(decision), facts())
        sent += [(effect.step_id, effect.visit) for effect in decision.effects if isinstance(effect, Message)]
    assert (rounds, len(sent), len(set(sent))) == (2, 2, 2)


@pytest.mark.parametrize(
    ("step", "acts"),
    [
        ({"kind": "update", "traits": {"greeted": True}}, True),
        ({"kind": "track", "event": "Greeted"}, True),
        ({"kind": "subscribe", "topic": "news", "subscribed": False}, True),
        ({"kind": "start", "campaign": "winback"}, True),
        ({"kind": "window", "days": [2], "start": "09:00", "end": "17:00"}, False),
    ],
)
def test_steps_that_act_do_so_once_and_go_on(step: dict[str, Any], acts: bool) -> None:
    flow = workflow({"id": "it", **step}, MAIL)
    decision = advance(flow, START, facts())
    assert [type(effect) for effect in decision.effects].count(Act) == acts
    # What was done is written before anything else is asked or said.
    assert (decision.due_at == NOON, mails(decision)) == ((True, []) if acts else (False, ["mail"]))
    rest = advance(flow, stored(decision), facts()) if acts else decision
    assert rest.ending is Ending.COMPLETED and not [e for e in rest.effects if isinstance(e, Act)]


def test_a_step_that_acts_at_the_end_ends_the_journey() -> None:
    decision = advance(workflow(MAIL, {"id": "it", "kind": "track", "event": "Greeted"}), START, facts())
    assert decision.ending is Ending.COMPLETED and kinds(decision)[-2:] == ["Act", "Left"]
