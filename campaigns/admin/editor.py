"""The state of the workflow editor: a draft, the forms and conditions of its cards, what was typed and is wrong.

The whole editor is one form, and every button sends all of it: what is typed in one card is never lost because
another was moved. Valid values go into the draft; a wrong one stays on the page with its error, and the draft keeps
the value it had.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Protocol

from campaigns.admin import conditions, leaving, sorts, words
from campaigns.admin import draft as drafts
from campaigns.admin.act_forms import GoToForm
from campaigns.admin.card_forms import CardForm, Choices
from campaigns.admin.conditions import Typed
from campaigns.admin.draft import Draft, Place
from campaigns.admin.step_forms import STEP_FORMS, GoalForm, ReentryForm, SettingsForm, ShareForm
from campaigns.admin.trigger_forms import form_of
from campaigns.admin.wait_forms import ExitEventForm

SHOWN = "shown"
MakeForm = Callable[..., CardForm]


class Posted(Protocol):
    """What a query dictionary offers."""

    def get(self, key: str, default: Any = None, /) -> Any: ...
    def getlist(self, key: str, /) -> list[Any]: ...
    def __contains__(self, key: str, /) -> bool: ...


@dataclass(slots=True)
class Editor:
    """``forms`` and ``conditions`` are by key: "trigger", "goal", ``step-<id>``, ``path-<step id>/<path id>``,
    ``exit-<place>`` …

    ``focus`` is the key of what was just made and waits to be filled in.
    """

    draft: Draft
    forms: dict[str, CardForm] = field(default_factory=dict)
    conditions: dict[str, Typed] = field(default_factory=dict)
    focus: str = ""

    @property
    def bad(self) -> bool:
        """Say whether something typed could not be stored."""
        return any(form.errors for form in self.forms.values()) or any(
            typed.error for typed in self.conditions.values()
        )

    def is_wrong(self, key: str) -> bool:
        """Say whether something typed at that key could not be stored."""
        form, typed = self.forms.get(key), self.conditions.get(key)
        return bool((form and form.errors) or (typed and typed.error))


def show(draft: Any, templates: Choices) -> Editor:
    """Return the editor as it is before anybody has typed."""
    editor = Editor(drafts.opened(draft))
    _complete(editor, templates)
    return editor


def read(draft: Any, posted: Posted, templates: Choices) -> Editor:
    """Return the editor after a form was sent: valid values in the draft, the others on the page."""
    editor = Editor(drafts.opened(draft))
    for key, make, part in list(_parts(editor.draft)):
        if f"{key}-{SHOWN}" in posted:
            form = make(part, templates, posted, key)
            form.write(part)
            editor.forms[key] = form
            _store(editor.draft, key, part)
    for key, holder, name in list(_conditions(editor.draft)):
        typed = posted.get(condition_field(key))
        if typed is not None:
            _read_condition(editor, str(typed), key, holder, name)
    for step in drafts.walk(editor.draft):
        for path in drafts.paths(step):
            label = f"{path_key(step, path)}-label"
            if label in posted:
                path["name"] = str(posted.get(label)).strip()[:120]
    return editor


def act(editor: Editor, action: str, taken: Collection[str], templates: Choices) -> None:
    """Do what a button asks: ``verb:argument``. An unknown verb only saves."""
    verb, _, argument = action.partition(":")
    if verb in ACTIONS:
        ACTIONS[verb](editor, argument, taken)
    _complete(editor, templates)


def path_key(step: drafts.Step, path: dict[str, Any]) -> str:
    """Return the prefix of the fields of a step's path."""
    return f"path-{step['id']}/{path['id']}"


def condition_field(key: str) -> str:
    """Return the name of the field that holds the condition of a card or path."""
    return f"{key}-condition"


def _complete(editor: Editor, templates: Choices) -> None:
    """Give every card its form and condition. What has no mistake is made anew, to show what is stored."""
    forms = {
        key: editor.forms[key] if key in editor.forms and editor.forms[key].errors else make(part, templates, None, key)
        for key, make, part in _parts(editor.draft)
    }
    typed = editor.conditions
    shown = {
        key: typed[key] if key in typed and typed[key].error else conditions.show(holder.get(name))
        for key, holder, name in _conditions(editor.draft)
    }
    editor.forms, editor.conditions = forms, shown


def _earlier(draft: Draft, step: drafts.Step) -> Choices:
    """Return the steps that come before a step in reading order, by id and name."""
    before = itertools.takewhile(lambda other: other is not step, drafts.walk(draft))
    return [(str(other["id"]), words.name(other)) for other in before]


def _parts(draft: Draft) -> Iterator[tuple[str, MakeForm, dict[str, Any]]]:
    yield "trigger", form_of(draft["trigger"]), draft["trigger"]
    yield "reentry", ReentryForm, draft["reentry"]
    for step in drafts.walk(draft):
        form: MakeForm | None = STEP_FORMS.get(sorts.name(step))
        if step.get("kind") == "goto":
            form = partial(GoToForm, earlier=_earlier(draft, step))
        if form:
            yield f"step-{step['id']}", form, step
        if step.get("kind") == "split":
            yield from ((path_key(step, path), ShareForm, path) for path in drafts.paths(step))
    yield "goal", GoalForm, draft["goal"] or {}
    yield from (
        (leaving.key(at), ExitEventForm, rule) for at, rule in leaving.rules(draft) if rule.get("when") == "event"
    )
    yield "settings", SettingsForm, draft


def _conditions(draft: Draft) -> Iterator[tuple[str, dict[str, Any], str]]:
    yield "trigger", draft["trigger"], "where"
    for step in drafts.walk(draft):
        if sorts.name(step) in sorts.CONDITIONS:
            yield f"step-{step['id']}", step, sorts.CONDITIONS[sorts.name(step)][0]
        for path in drafts.paths(step):
            if step.get("kind") == "branch" and not drafts.is_else(step, path):
                yield path_key(step, path), path, "if"
    yield "goal", draft["goal"] or {}, "where"
    for place, rule in leaving.rules(draft):
        kind = leaving.kind(rule)
        if kind and kind.condition:
            yield leaving.key(place), rule, kind.condition[0]


def _store(draft: Draft, key: str, part: dict[str, Any]) -> None:
    if key == "goal":
        draft["goal"] = {"where": None, **part} if part.get("event") else None


def _read_condition(editor: Editor, text: str, key: str, holder: dict[str, Any], name: str) -> None:
    typed = conditions.read(text)
    editor.conditions[key] = typed
    if not typed.error and typed.tree != holder.get(name):
        holder[name] = typed.tree


def _add(editor: Editor, argument: str, taken: Collection[str]) -> None:
    kind, _, place = argument.partition(":")
    index, _, address = place.partition(":")
    at = Place(address, int(index) if index.isdigit() else 0)
    editor.draft, step_id = drafts.add(editor.draft, kind, at, taken)
    editor.focus = f"step-{step_id}" if step_id else ""


def _kind(editor: Editor, argument: str, taken: Collection[str]) -> None:
    """Another kind of trigger was chosen, which has been read: show its fields."""
    editor.focus = "trigger"


def _up(editor: Editor, argument: str, taken: Collection[str]) -> None:
    editor.draft = drafts.move(editor.draft, argument, -1)


def _down(editor: Editor, argument: str, taken: Collection[str]) -> None:
    editor.draft = drafts.move(editor.draft, argument, +1)


def _remove(editor: Editor, argument: str, taken: Collection[str]) -> None:
    editor.draft = drafts.remove(editor.draft, argument)


def _add_path(editor: Editor, argument: str, taken: Collection[str]) -> None:
    editor.draft, path_id = drafts.add_path(editor.draft, argument)
    if path_id:
        editor.focus = f"path-{argument}/{path_id}"


def _remove_path(editor: Editor, argument: str, taken: Collection[str]) -> None:
    path_id, _, step_id = argument.partition(":")
    editor.draft = drafts.remove_path(editor.draft, step_id, path_id)


def _add_exit(editor: Editor, argument: str, taken: Collection[str]) -> None:
    editor.draft, editor.focus = leaving.add(editor.draft, argument)


def _remove_exit(editor: Editor, argument: str, taken: Collection[str]) -> None:
    """Take a rule away; what is typed and wrong in those behind it moves up with them."""
    if not argument.isdecimal():
        return
    count, place = len(leaving.rules(editor.draft)), int(argument)
    editor.draft = leaving.remove(editor.draft, place)
    for at in range(place, count):
        editor.forms.pop(leaving.key(at), None)
        following = editor.conditions.pop(leaving.key(at + 1), None)
        editor.conditions.pop(leaving.key(at), None)
        if following:
            editor.conditions[leaving.key(at)] = following
    editor.focus = "exits"


ACTIONS: dict[str, Callable[[Editor, str, Collection[str]], None]] = {
    "kind": _kind,
    "add": _add,
    "up": _up,
    "down": _down,
    "remove": _remove,
    "add-path": _add_path,
    "remove-path": _remove_path,
    "add-exit": _add_exit,
    "remove-exit": _remove_exit,
}
