"""Lay the workflow editor out: cards with words, fields, problems and figures, ready for the template."""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from django.utils.safestring import SafeString

from campaigns.admin import draft as drafts
from campaigns.admin import leaving, sorts, starts, words
from campaigns.admin.card_forms import CardForm
from campaigns.admin.conditions import Typed
from campaigns.admin.draft import Step
from campaigns.admin.editor import Editor, condition_field, path_key
from campaigns.admin.step_forms import STEP_FORMS
from campaigns.admin.trigger_forms import form_of
from campaigns.engine.definition import Problem
from events.admin.condition_field import ConditionWidget

_PART = re.compile(r"([a-z_]+)(?:\[(\d+)\])?")


@dataclass(frozen=True, slots=True)
class Figures:
    """What happened at a step of the live version. ``waiting`` is a text, because it is counted only so far."""

    reached: int = 0
    waiting: str = "0"
    sent: int = 0
    opened: int = 0
    clicked: int = 0


@dataclass(frozen=True, slots=True)
class Fault:
    """A problem and where it is: a card, a field of it ("" for the card itself), an anchor of the page."""

    card: str
    field: str
    message: str
    place: str

    @property
    def anchor(self) -> str:
        """Return the key of the card to open: a path is edited in its branch's, a rule among the others."""
        if self.card.startswith("path-"):
            return "step-" + self.card.removeprefix("path-").rpartition("/")[0]
        if self.card.startswith("exit-"):
            return "exits"
        return self.card


@dataclass(frozen=True, slots=True)
class Condition:
    """The condition of a card and what is wrong with it. ``event_field`` names the event at hand."""

    key: str
    typed: Typed
    problems: Sequence[str]
    event_field: str = "trigger-event"
    empty: str = ""

    @property
    def field_id(self) -> str:
        return f"id_{condition_field(self.key)}"

    @property
    def builder(self) -> SafeString:
        wrong = {"aria-invalid": "true"} if self.typed.error or self.problems else {}
        widget = ConditionWidget("event", self.event_field, self.empty)
        return widget.render(condition_field(self.key), self.typed.text, {"id": self.field_id, **wrong})


@dataclass(frozen=True, slots=True)
class Card:
    """A box of the editor. ``problems`` are those that belong to no field."""

    key: str
    summary: str
    form: CardForm | None
    problems: Sequence[str]
    open: bool


@dataclass(frozen=True, slots=True)
class RuleCard:
    """A rule of who leaves early. ``summary`` begins in lower case: it goes on the sentence of the card."""

    key: str
    place: int
    summary: str
    hint: str
    form: CardForm | None
    condition: Condition | None
    condition_title: str
    problems: Sequence[str]


@dataclass(frozen=True, slots=True)
class PathCard:
    key: str
    id: str
    name: str
    is_else: bool
    removable: bool
    summary: str
    address: str
    form: CardForm | None
    condition: Condition | None
    problems: Sequence[str]
    steps: Sequence[StepCard]


@dataclass(frozen=True, slots=True)
class StepCard:
    card: Card
    id: str
    kind: str
    title: str
    label: str
    icon: str
    grows: bool
    waits: bool
    condition: Condition | None = None
    condition_title: str = ""
    paths: Sequence[PathCard] = ()
    figures: Figures | None = None
    raw: str = ""


@dataclass(slots=True)
class Board:
    """Everything the editor's template shows.

    ``listens_for`` is the event that the trigger implies, where nobody types its name.
    """

    trigger: Card
    trigger_condition: Condition
    reentry: Card
    steps: Sequence[StepCard]
    goal: Card
    goal_condition: Condition
    exits: Card
    exit_rules: Sequence[RuleCard]
    exits_addable: Sequence[tuple[str, str]]
    settings: Card
    faults: Sequence[Fault] = ()
    focus: str = ""
    is_started: bool = True
    listens_for: str = ""


def lay_out(
    editor: Editor,
    problems: Iterable[Problem],
    templates: Mapping[int, str],
    open_cards: Collection[str] = (),
    figures: Mapping[str, Figures] | None = None,
) -> Board:
    """Return the board. ``figures`` are by step id; steps without any show none."""
    faults = [locate(editor.draft, problem) for problem in problems]
    _mark(editor, faults)
    return _Layout(editor, faults, templates, open_cards, figures).board()


def locate(draft: drafts.Draft, problem: Problem) -> Fault:
    """Find the card and the field that a place of the definition, such as ``steps[2].seconds``, is edited at."""
    head, _, rest = problem.path.partition(".")
    found = _PART.fullmatch(head)
    name, index = (found[1], found[2]) if found else ("", None)
    if name == "steps" and index is not None:
        return _locate_step(draft["steps"], int(index), rest, problem.message)
    if name == "trigger":
        field = rest.partition(".")[0]
        return Fault(name, form_of(draft[name]).fields_of_draft.get(field, field), problem.message, words.PLACES[name])
    if name in ("reentry", "goal"):
        return Fault(name, rest.partition(".")[0], problem.message, words.PLACES[name])
    if name == "exits":
        return Fault(
            leaving.key(int(index)) if index else name, rest.partition(".")[0], problem.message, words.PLACES[name]
        )
    if name in ("time_zone", "speed", "priority"):
        return Fault("settings", name, problem.message, words.PLACES["settings"])
    return Fault("steps", "", problem.message, words.PLACES["steps"])


def _locate_step(steps: Sequence[Step], index: int, rest: str, message: str) -> Fault:
    if index >= len(steps):
        return Fault("steps", "", message, words.PLACES["steps"])
    step = steps[index]
    head, _, deeper = rest.partition(".")
    found = _PART.fullmatch(head)
    ways = drafts.paths(step)
    if found and found[1] == "paths" and found[2] and int(found[2]) < len(ways):
        return _locate_path(step, ways[int(found[2])], deeper, message)
    form = STEP_FORMS.get(sorts.name(step))
    name = form.fields_of_draft.get(rest, form.fields_of_draft.get(head, head)) if form and head else ""
    return Fault(f"step-{step['id']}", name, message, words.name(step))


def _locate_path(step: Step, path: dict[str, Any], rest: str, message: str) -> Fault:
    head, _, deeper = rest.partition(".")
    found = _PART.fullmatch(head)
    if found and found[1] == "steps" and found[2]:
        return _locate_step(path["steps"], int(found[2]), deeper, message)
    return Fault(path_key(step, path), head, message, f"{words.name(step)}: {path.get('name') or 'a path'}")


def _mark(editor: Editor, faults: Iterable[Fault]) -> None:
    """Tell the fields which of them have a problem, for those who cannot see the colour."""
    for fault in faults:
        form = editor.forms.get(fault.card)
        if form and fault.field in form.fields:
            form.note(fault.field, fault.message)


class _Layout:
    def __init__(
        self,
        editor: Editor,
        faults: Sequence[Fault],
        templates: Mapping[int, str],
        open_cards: Collection[str],
        figures: Mapping[str, Figures] | None,
    ) -> None:
        self.editor, self.faults, self.templates = editor, faults, templates
        self.open_cards, self.figures = open_cards, figures

    def board(self) -> Board:
        draft = self.editor.draft
        return Board(
            trigger=self.card("trigger", words.trigger(draft)),
            trigger_condition=self.condition("trigger"),
            reentry=self.card("reentry", words.reentry(draft)),
            steps=self.steps(draft["steps"]),
            goal=self.card("goal", words.goal(draft)),
            goal_condition=self.condition("goal", "goal-event"),
            exits=self.exits(),
            exit_rules=[self.rule(place, rule) for place, rule in leaving.rules(draft)],
            exits_addable=leaving.addable(draft),
            settings=self.card("settings", words.settings(draft)),
            faults=self.faults,
            focus=self.editor.focus,
            is_started=not starts.is_open(draft["trigger"]),
            listens_for=starts.implied(draft["trigger"]),
        )

    def exits(self) -> Card:
        keys = {leaving.key(place) for place, _ in leaving.rules(self.editor.draft)} | {"exits"}
        wrong = any(self.editor.is_wrong(key) for key in keys)
        shown = wrong or self.editor.focus in keys or not keys.isdisjoint(self.open_cards)
        return Card("exits", leaving.summary(self.editor.draft), None, self.loose("exits", None), shown)

    def rule(self, place: int, rule: dict[str, Any]) -> RuleCard:
        key, kind = leaving.key(place), leaving.kind(rule)
        form, asked = self.editor.forms.get(key), kind.condition if kind else None
        condition = None
        if asked and rule["when"] == "event":
            condition = self.condition(key, f"{key}-event")
        elif asked:
            condition = self.condition(key, empty="No rules yet: say what ends the journey.")
        title = asked[1] if asked else ""
        hint = kind.hint if kind else ""
        return RuleCard(key, place, leaving.say(rule), hint, form, condition, title, self.loose(key, form))

    def steps(self, steps: Sequence[Step]) -> list[StepCard]:
        return [self.step(step) for step in steps]

    def step(self, step: Step) -> StepCard:
        kind, step_id, sort = str(step.get("kind")), str(step["id"]), sorts.of(step)
        return StepCard(
            card=self.card(f"step-{step_id}", words.summary(step, self.editor.draft["speed"], self.templates)),
            id=step_id,
            kind=kind,
            title=words.name(step),
            label=sort.label,
            icon=sort.icon,
            grows=kind in sorts.GROWING,
            waits=kind in sorts.WAITING,
            condition=self.step_condition(step),
            condition_title=sorts.CONDITIONS.get(sorts.name(step), ("", ""))[1],
            paths=[self.path(step, path) for path in drafts.paths(step)],
            figures=(self.figures or {}).get(step_id),
            raw="" if f"step-{step_id}" in self.editor.forms else json.dumps(step, indent=2, ensure_ascii=False),
        )

    def step_condition(self, step: Step) -> Condition | None:
        """Return the condition of a step itself; of one that waits for an event, that is the event at hand."""
        key = f"step-{step['id']}"
        if sorts.name(step) not in sorts.CONDITIONS:
            return None
        if "event" in step:
            return self.condition(key, f"{key}-event")
        return self.condition(key, empty="No rules yet: say what to wait for.")

    def path(self, step: Step, path: dict[str, Any]) -> PathCard:
        is_else, key = drafts.is_else(step, path), path_key(step, path)
        asks = key in self.editor.conditions
        form = self.editor.forms.get(key)
        return PathCard(
            key=key,
            id=str(path["id"]),
            name=str(path.get("name") or ""),
            is_else=is_else,
            removable=step.get("kind") in sorts.GROWING and not is_else,
            summary=words.path(step, path),
            address=f"{step['id']}/{path['id']}",
            form=form,
            condition=self.condition(key, empty="No rules yet: say who takes this path.") if asks else None,
            problems=self.loose(key, form),
            steps=self.steps(path["steps"]),
        )

    def card(self, key: str, summary: str) -> Card:
        form = self.editor.forms.get(key)
        wrong = bool(form and form.errors) or self.unsettled(key)
        return Card(
            key, summary, form, self.loose(key, form), wrong or key in self.open_cards or self.editor.focus == key
        )

    def loose(self, key: str, form: CardForm | None) -> list[str]:
        """Return what is wrong with a card or path and belongs to no field of it."""
        fields = form.fields if form else {}
        return [
            fault.message
            for fault in self.faults
            if fault.card == key and fault.field not in fields and fault.field not in ("where", "if")
        ]

    def unsettled(self, key: str) -> bool:
        """Say whether a condition of the card, or something of a path of it, is wrong or waits to be filled in."""
        inside = f"path-{key.removeprefix('step-')}/"
        own = [name for name in self.editor.conditions if name == key]
        ways = {*self.editor.conditions, *self.editor.forms} if key.startswith("step-") else ()
        return any(
            self.editor.focus == name or self.editor.is_wrong(name)
            for name in (*own, *(name for name in ways if name.startswith(inside)))
        )

    def condition(self, key: str, event_field: str = "trigger-event", empty: str = "") -> Condition:
        found = [fault.message for fault in self.faults if fault.card == key and fault.field in ("where", "if")]
        return Condition(key, self.editor.conditions[key], found, event_field, empty)
