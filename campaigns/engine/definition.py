"""Read a campaign's definition (see docs/architecture.md for its shape) into a Workflow. Pure.

Every mistake is reported with its place, such as ``steps[2].paths[0].if``, and all of them at once.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import time
from typing import Any

from campaigns.engine import leaving
from campaigns.engine.boxes import BUILDERS, ways
from campaigns.engine.starts import STARTS, Start
from campaigns.engine.steps import Definition, Goal, Path, Reentry, Step, Trigger, Workflow
from campaigns.engine.timing import find_zone
from events.conditions import ConditionError, Node
from events.conditions import parse as parse_condition

MAX_SPEED = 100_000
MAX_AGE_HOURS = 24 * 366
MAX_GRACE_MINUTES = 24 * 60
MAX_QUIET_MINUTES = 7 * 24 * 60
PRIORITIES = ("urgent", "high", "normal", "low")
# A trigger's limits where its definition names none.
LIMITS = {"max_age_hours": 72, "grace_minutes": 30, "quiet_minutes": 0, "quiet_most_minutes": 24 * 60}
MAX_DEPTH = 10


@dataclass(frozen=True, slots=True)
class Problem:
    """A mistake: ``path`` is the place in the definition, ``message`` says what to do."""

    path: str
    message: str


class DefinitionError(ValueError):
    """Raised for a definition that cannot run; ``problems`` lists every mistake found."""

    def __init__(self, problems: list[Problem]) -> None:
        super().__init__("; ".join(f"{problem.path}: {problem.message}" for problem in problems))
        self.problems = problems


def parse(definition: Definition) -> Workflow:
    """Return the workflow. Raises DefinitionError with all problems."""
    reader = Reader()
    workflow = reader.workflow(definition)
    if reader.problems:
        raise DefinitionError(reader.problems)
    return workflow


def problems(definition: Definition) -> list[Problem]:
    """Return every mistake of ``definition``; none means that it can run."""
    try:
        parse(definition)
    except DefinitionError as error:
        return error.problems
    return []


def start_of(definition: Definition) -> Start:
    """Return what starts a journey, of a half done draft as far as it says so."""
    tree = definition.get("trigger")
    return Reader().start(tree if isinstance(tree, dict) else {})


class Reader:
    """Reads the parts of a definition and collects the problems.

    What it returns is only good when there are none.
    """

    def __init__(self) -> None:
        self.problems: list[Problem] = []
        self.by_id: dict[str, Step] = {}
        self.around: list[str] = []  # the ids of the steps within whose paths it reads
        self.following: dict[str, str | None] = {}

    def workflow(self, tree: Definition) -> Workflow:
        steps = self.steps(tree.get("steps") or [], "steps", 0)
        if not steps:
            self.problem("steps", "add at least one step, such as sending a message")
        self.chain(steps, None)
        trigger = self.trigger(tree.get("trigger") or {})
        meets = leaving.still(tree.get("trigger") or {}, trigger.start)
        return Workflow(
            trigger=trigger,
            reentry=self.reentry(tree.get("reentry") or {}),
            steps=steps,
            goal=self.goal(tree.get("goal")),
            time_zone=self.zone(tree.get("time_zone") or ""),
            speed=self.whole(tree, "speed", "", 1, MAX_SPEED, default=1),
            priority=self.priority(tree.get("priority") or "normal"),
            by_id=self.by_id,
            following=self.following,
            exits=leaving.read(self, tree.get("exits") or [], meets),
            definition=tree,
        )

    def problem(self, path: str, message: str) -> None:
        self.problems.append(Problem(path, message))

    def trigger(self, tree: dict[str, Any]) -> Trigger:
        quiet = self.whole(tree, "quiet_minutes", "trigger", 0, MAX_QUIET_MINUTES, default=LIMITS["quiet_minutes"])
        most = LIMITS["quiet_most_minutes"]
        return Trigger(
            self.start(tree),
            self.condition(tree.get("where"), "trigger.where"),
            self.whole(tree, "max_age_hours", "trigger", 1, MAX_AGE_HOURS, default=LIMITS["max_age_hours"]),
            self.whole(tree, "grace_minutes", "trigger", 0, MAX_GRACE_MINUTES, default=LIMITS["grace_minutes"]),
            quiet,
            self.whole(
                tree, "quiet_most_minutes", "trigger", max(1, quiet), MAX_QUIET_MINUTES, default=max(quiet, most)
            ),
        )

    def start(self, tree: dict[str, Any]) -> Start:
        kind = tree.get("kind", "event")
        if not isinstance(kind, str) or kind not in STARTS:
            self.problem("trigger.kind", f"must be one of {', '.join(STARTS)}")
            kind = "event"
        return STARTS[kind](self, tree)

    def reentry(self, tree: dict[str, Any]) -> Reentry:
        rule = tree.get("rule", "once")
        if rule not in ("once", "always", "period"):
            self.problem("reentry.rule", "must be once, always or period")
        by = tree.get("by") or ""
        if not isinstance(by, str):
            self.problem("reentry.by", "must be the name of a property")
        parallel = tree.get("parallel", False)
        if not isinstance(parallel, bool):
            self.problem("reentry.parallel", "must be true or false")
        hours = self.whole(tree, "hours", "reentry", 1, 24 * 400, default=24)
        return Reentry(rule, hours, str(by).strip(), parallel is True)

    def goal(self, tree: dict[str, Any] | None) -> Goal | None:
        if not tree:
            return None
        return Goal(
            self.text(tree, "event", "goal", "choose the event that counts as success, or remove the goal"),
            self.condition(tree.get("where"), "goal.where"),
            self.whole(tree, "hours", "goal", 1, 24 * 90, default=168),
        )

    def zone(self, name: str) -> str:
        if name and find_zone(name) is None:
            self.problem("time_zone", f"{name} is not a time zone; write one such as Europe/Vienna")
        return name

    def priority(self, name: Any) -> str:
        if name not in PRIORITIES:
            self.problem("priority", "must be urgent, high, normal or low")
            return "normal"
        return str(name)

    def steps(self, trees: Any, path: str, depth: int) -> tuple[Step, ...]:
        if not isinstance(trees, list):
            self.problem(path, "must be a list of steps")
            return ()
        if depth > MAX_DEPTH:
            self.problem(path, f"branches are nested more than {MAX_DEPTH} deep")
            return ()
        found = [self.step(tree, f"{path}[{index}]", depth) for index, tree in enumerate(trees)]
        return tuple(step for step in found if step is not None)

    def step(self, tree: Any, path: str, depth: int) -> Step | None:
        build = BUILDERS.get(str(tree.get("kind"))) if isinstance(tree, dict) else None
        if build is None:
            self.problem(path, f"must be a step of one of the kinds {', '.join(BUILDERS)}")
            return None
        step_id = self.text(tree, "id", path, "needs an id")
        if step_id in self.by_id:
            self.problem(f"{path}.id", f"the id {step_id} is used twice")
        self.around.append(step_id)
        step = build(self, tree, path, step_id, str(tree.get("name") or step_id), depth)
        self.around.pop()
        self.by_id[step_id] = step
        return step

    def chain(self, steps: tuple[Step, ...], after: str | None) -> None:
        """Note what follows each step: branches rejoin behind themselves."""
        for index, step in enumerate(steps):
            following = steps[index + 1].id if index + 1 < len(steps) else after
            self.following[step.id] = following
            for path in ways(step):
                self.chain(path.steps, following)

    def paths(self, tree: dict[str, Any], path: str, message: str) -> list[dict[str, Any]]:
        """Return the trees of the paths; there has to be one at least, else ``message`` says what to do."""
        trees = tree.get("paths")
        if not isinstance(trees, list) or not trees:
            self.problem(f"{path}.paths", message)
            return []
        return [each if isinstance(each, dict) else {} for each in trees]

    def path(self, tree: dict[str, Any], path: str, depth: int, condition: Node | None = None, weight: int = 0) -> Path:
        return Path(
            self.text(tree, "id", path, "needs an id"),
            str(tree.get("name") or tree.get("id") or ""),
            condition,
            self.steps(tree.get("steps") or [], f"{path}.steps", depth + 1),
            weight,
        )

    def condition(self, tree: Any, path: str) -> Node | None:
        if tree is None:
            return None
        try:
            return parse_condition(tree)
        except ConditionError as error:
            place = f"{path}.{error.path}" if error.path else path
            self.problem(place, error.message)
            return None

    def text(self, tree: dict[str, Any], key: str, path: str, message: str) -> str:
        value = tree.get(key)
        if not isinstance(value, str) or not value.strip():
            self.problem(f"{path}.{key}", message)
            return ""
        return value

    def whole(self, tree: Definition, key: str, path: str, low: int, high: int, default: int | None = None) -> int:
        value = tree.get(key, default)
        if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
            self.problem(f"{path}.{key}" if path else key, f"must be a whole number from {low:,} to {high:,}")
            return low
        return value

    def clock(self, tree: dict[str, Any], key: str, path: str) -> time:
        try:
            return time.fromisoformat(tree[key])
        except (KeyError, TypeError, ValueError):
            self.problem(f"{path}.{key}", "must be a time of day such as 09:00")
            return time(0)

    def days(self, tree: dict[str, Any], key: str, path: str) -> frozenset[int]:
        days = tree.get(key)
        if not isinstance(days, list) or not days or not all(day in range(7) for day in days):
            self.problem(f"{path}.{key}", "choose at least one day of the week")
            return frozenset()
        return frozenset(days)

    def trait(self, tree: dict[str, Any], key: str, path: str) -> tuple[str, ...]:
        """Return the path of a trait or property: names joined by dots, or a list of names."""
        value = tree.get(key)
        if isinstance(value, str) and value.strip():
            return tuple(value.split("."))
        if isinstance(value, list) and value and all(isinstance(part, str) for part in value):
            return tuple(value)
        self.problem(f"{path}.{key}", "must be the name of a trait or property")
        return ("",)

    def mapping(self, tree: dict[str, Any], key: str, path: str) -> dict[str, Any]:
        value = tree.get(key) or {}
        if not isinstance(value, dict):
            self.problem(f"{path}.{key}", "must be names with their values")
            return {}
        return value
