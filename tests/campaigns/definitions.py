"""Random definitions of campaigns for property tests: every kind of step, nested, each with an id of its own."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from hypothesis import strategies as st

from campaigns.engine.boxes import BUILDERS

Tree = dict[str, Any]
CLOCKS = st.sampled_from(["00:00", "02:30", "09:00", "17:00", "23:59"])
DAYS = st.lists(st.integers(0, 6), min_size=1, max_size=7, unique=True)
SECONDS = st.sampled_from([1, 60, 3_600, 90_000])
CONDITION = {"trait": "plan", "is": "pro"}

# What each kind needs beside its id; paths come with those that have some.
FIELDS: dict[str, st.SearchStrategy[Tree]] = {
    "delay": st.one_of(
        st.fixed_dictionaries({"seconds": SECONDS}),
        SECONDS.map(lambda seconds: {"seconds": seconds, "most": seconds * 2}),
        st.fixed_dictionaries({"days_of_week": DAYS, "at": CLOCKS}).map(lambda until: {"until": until}),
        st.integers(-3, 3).map(lambda days: {"until": {"trait": "renews", "days": days, "at": "09:00"}}),
    ),
    "window": st.fixed_dictionaries({"days": DAYS, "start": CLOCKS, "end": CLOCKS}),
    "send": st.sampled_from([{}, {"sending": "draft"}, {"sending": "never"}]).map(
        lambda how: {"template": 1, "template_version": 7, **how}
    ),
    "branch": st.just({}),
    "split": st.just({}),
    "wait": st.one_of(
        SECONDS.map(lambda seconds: {"seconds": seconds, "if": CONDITION}),
        SECONDS.map(lambda seconds: {"seconds": seconds, "event": "Paid", "since": "step"}),
    ),
    "quiet": SECONDS.map(lambda seconds: {"event": "Seen", "seconds": seconds, "most": seconds * 3}),
    "limit": st.just({"number": 10, "seconds": 60}),
    "update": st.just({"traits": {"stage": "x"}}),
    "track": st.just({"event": "Greeted"}),
    "subscribe": st.just({"topic": "news", "subscribed": True}),
    "start": st.just({"campaign": "other"}),
    "call": st.just({"url": "https://example.com/hook", "seconds": 60}),
    "goto": st.integers(1, 3).map(lambda times: {"times": times}),
    "exit": st.just({}),
}
PATHS = {"branch": (1, 3), "split": (1, 3), "wait": (2, 2)}
assert FIELDS.keys() == BUILDERS.keys(), "every kind of step has to be among them"


@st.composite
def definitions(draw: Callable[..., Any], max_steps: int = 5) -> Tree:
    """Return a definition that can run."""
    steps = _steps(draw, max_steps, 0, [])
    priority = draw(st.sampled_from(["urgent", "high", "normal", "low"]))
    return {
        "trigger": {"event": "Signed Up"},
        "steps": steps,
        "speed": draw(st.sampled_from([1, 360])),
        "priority": priority,
    }


def _steps(draw: Callable[..., Any], most: int, depth: int, before: list[str]) -> list[Tree]:
    """Return steps; ``before`` are the ids that a step may go back to."""
    kinds = [kind for kind in FIELDS if depth < 2 or kind not in PATHS]
    number = draw(st.integers(0 if depth else 1, most))
    return [_step(draw, draw(st.sampled_from(kinds)), depth, before) for _ in range(number)]


def _step(draw: Callable[..., Any], kind: str, depth: int, before: list[str]) -> Tree:
    if kind == "goto" and not before:
        kind = "send"
    tree = {"id": f"s{len(before)}", "kind": kind, **draw(FIELDS[kind])}
    if kind == "goto":
        tree["to"] = draw(st.sampled_from(before))
    before.append(tree["id"])
    if kind in PATHS:
        ways = range(draw(st.integers(*PATHS[kind])))
        # Evaluated in order: a step may go back to one on an earlier path, which is read before it.
        tree["paths"] = [
            {"id": f"{tree['id']}-{n}", "if": CONDITION, "weight": n + 1, "steps": _steps(draw, 2, depth + 1, before)}
            for n in ways
        ]
    return tree
