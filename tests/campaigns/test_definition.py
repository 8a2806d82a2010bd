"""A definition is read whole, and every mistake is named with its place."""

from typing import Any

import pytest

from campaigns.engine.definition import DefinitionError, Problem, parse, problems
from campaigns.engine.steps import Branch, Send

MAIL = {"id": "mail", "kind": "send", "template": 1}
GOOD: dict[str, Any] = {"trigger": {"event": "Signed Up"}, "steps": [MAIL]}


def places(**changes: Any) -> list[str]:
    return [problem.path for problem in problems({**GOOD, **changes})]


def test_the_smallest_definition_has_sensible_defaults() -> None:
    workflow = parse(GOOD)
    assert (workflow.reentry.rule, workflow.speed, workflow.time_zone, workflow.goal) == ("once", 1, "", None)
    assert workflow.steps == (Send("mail", "mail", 1, None),)


@pytest.mark.parametrize(
    ("changes", "place"),
    [
        ({"trigger": {}}, "trigger.event"),
        ({"trigger": {"event": "X", "where": {"all": [{"trait": "plan"}]}}}, "trigger.where.all[0]"),
        ({"steps": []}, "steps"),
        ({"steps": [MAIL, MAIL]}, "steps[1].id"),
        ({"steps": [{"id": "x", "kind": "teleport"}]}, "steps[0]"),
        ({"steps": [{"id": "x", "kind": "send"}]}, "steps[0].template"),
        ({"steps": [{"id": "x", "kind": "delay", "seconds": 0}]}, "steps[0].seconds"),
        ({"steps": [{"id": "x", "kind": "delay", "seconds": True}]}, "steps[0].seconds"),
        ({"steps": [{"id": "x", "kind": "window", "days": [], "start": "09:00", "end": "17:00"}]}, "steps[0].days"),
        ({"steps": [{"id": "x", "kind": "window", "days": [1], "start": "9am", "end": "17:00"}]}, "steps[0].start"),
        ({"steps": [{"id": "x", "kind": "branch", "paths": []}]}, "steps[0].paths"),
        (
            {"steps": [{"id": "x", "kind": "branch", "paths": [{"id": "a"}, {"id": "b"}]}]},
            "steps[0].paths[0].if",
        ),
        ({"reentry": {"rule": "sometimes"}}, "reentry.rule"),
        ({"goal": {"event": ""}}, "goal.event"),
        ({"time_zone": "Mars/Olympus"}, "time_zone"),
        ({"speed": 0}, "speed"),
    ],
)
def test_a_mistake_is_named_with_its_place(changes: dict[str, Any], place: str) -> None:
    assert place in places(**changes)


def test_all_mistakes_are_told_at_once() -> None:
    with pytest.raises(DefinitionError) as error:
        parse({"steps": [{"id": "x", "kind": "send"}], "speed": -1})
    assert {problem.path for problem in error.value.problems} == {"trigger.event", "steps[0].template", "speed"}
    assert all(isinstance(problem, Problem) and problem.message for problem in error.value.problems)


def test_paths_of_a_branch_rejoin_behind_it() -> None:
    inner = {"id": "inner", "kind": "delay", "seconds": 5}
    path = {"id": "pro", "if": {"trait": "plan", "is": "pro"}, "steps": [inner]}
    workflow = parse({**GOOD, "steps": [{"id": "which", "kind": "branch", "paths": [path]}, MAIL]})
    assert isinstance(workflow.by_id["which"], Branch)
    assert workflow.following == {"which": "mail", "inner": "mail", "mail": None}
