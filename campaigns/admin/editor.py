"""The state of the workflow editor: a draft, the forms and condition rows of its cards, what was typed and is wrong.

The whole editor is one form, and every button sends all of it: what is typed in one card is never lost because
another was moved. Valid values go into the draft; a wrong one stays on the page with its error, and the draft keeps
the value it had.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass, field
from typing import Any

from campaigns.admin import draft as drafts
from campaigns.admin import rows as conditions
from campaigns.admin.draft import Draft, Place
from campaigns.admin.rows import Posted, Rows
from campaigns.admin.step_forms import (
    STEP_FORMS,
    CardForm,
    Choices,
    GoalForm,
    ReentryForm,
    SettingsForm,
    TriggerForm,
)

SHOWN = "shown"


@dataclass(slots=True)
class Editor:
    """``forms`` and ``rows`` are by key: "trigger", "goal", ``step-<id>``, ``path-<step id>/<path id>`` …

    ``focus`` is the key of what was just made and waits to be filled in.
    """

    draft: Draft
    forms: dict[str, CardForm] = field(default_factory=dict)
    rows: dict[str, Rows] = field(default_factory=dict)
    focus: str = ""

    @property
    def bad(self) -> bool:
        """Say whether something typed could not be stored."""
        return any(form.errors for form in self.forms.values()) or any(rows.bad for rows in self.rows.values())


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
        if f"{key}-{SHOWN}" in posted:
            _read_condition(editor, posted, key, holder, name)
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
    """Return the prefix of the fields of a branch's path."""
    return f"path-{step['id']}/{path['id']}"


def _complete(editor: Editor, templates: Choices) -> None:
    """Give every card its form and rows. Forms without mistakes are made anew, to show what is stored."""
    forms = {
        key: editor.forms[key] if key in editor.forms and editor.forms[key].errors else make(part, templates, None, key)
        for key, make, part in _parts(editor.draft)
    }
    rows = {key: editor.rows.get(key) or _stored(holder, name) for key, holder, name in _conditions(editor.draft)}
    editor.forms, editor.rows = forms, rows


def _parts(draft: Draft) -> Iterator[tuple[str, type[CardForm], dict[str, Any]]]:
    yield "trigger", TriggerForm, draft["trigger"]
    yield "reentry", ReentryForm, draft["reentry"]
    for step in drafts.walk(draft):
        form = STEP_FORMS.get(str(step.get("kind")))
        if form:
            yield f"step-{step['id']}", form, step
    yield "goal", GoalForm, draft["goal"] or {}
    yield "settings", SettingsForm, draft


def _conditions(draft: Draft) -> Iterator[tuple[str, dict[str, Any], str]]:
    yield "trigger", draft["trigger"], "where"
    for step in drafts.walk(draft):
        for path in drafts.paths(step):
            if not drafts.is_else(path):
                yield path_key(step, path), path, "if"
    yield "goal", draft["goal"] or {}, "where"


def _store(draft: Draft, key: str, part: dict[str, Any]) -> None:
    if key == "goal":
        draft["goal"] = {"where": None, **part} if part.get("event") else None


def _read_condition(editor: Editor, posted: Posted, key: str, holder: dict[str, Any], name: str) -> None:
    typed = conditions.read(posted, key)
    editor.rows[key] = typed
    # Rows say some trees in other words; a condition that nobody touched keeps its own.
    if not typed.bad and conditions.tree(typed) != conditions.tree(_stored(holder, name)):
        holder[name] = conditions.tree(typed)
    if typed.kept is not None and not typed.bad:
        editor.rows[key] = conditions.show(typed.kept)


def _stored(holder: dict[str, Any], name: str) -> Rows:
    return conditions.show(holder.get(name))


def _add(editor: Editor, argument: str, taken: Collection[str]) -> None:
    kind, _, place = argument.partition(":")
    index, _, address = place.partition(":")
    at = Place(address, int(index) if index.isdigit() else 0)
    editor.draft, step_id = drafts.add(editor.draft, kind, at, taken)
    editor.focus = f"step-{step_id}" if step_id else ""


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
        editor.rows[editor.focus] = conditions.with_blank(Rows())


def _remove_path(editor: Editor, argument: str, taken: Collection[str]) -> None:
    path_id, _, step_id = argument.partition(":")
    editor.draft = drafts.remove_path(editor.draft, step_id, path_id)


def _add_row(editor: Editor, argument: str, taken: Collection[str]) -> None:
    stored = {key: _stored(holder, name) for key, holder, name in _conditions(editor.draft)}
    editor.rows[argument] = conditions.with_blank(editor.rows.get(argument) or stored.get(argument, Rows()))
    editor.focus = argument


def _remove_row(editor: Editor, argument: str, taken: Collection[str]) -> None:
    index, _, key = argument.partition(":")
    if key in editor.rows and index.isdigit():
        _replace_rows(editor, key, conditions.without(editor.rows[key], int(index)))


def _clear_rows(editor: Editor, argument: str, taken: Collection[str]) -> None:
    """Give up a condition that rows cannot show."""
    _replace_rows(editor, argument, Rows())


def _replace_rows(editor: Editor, key: str, rows: Rows) -> None:
    editor.rows[key] = rows
    for found, holder, name in list(_conditions(editor.draft)):
        if found == key and not rows.bad:
            holder[name] = conditions.tree(rows)


ACTIONS: dict[str, Callable[[Editor, str, Collection[str]], None]] = {
    "add": _add,
    "up": _up,
    "down": _down,
    "remove": _remove,
    "add-path": _add_path,
    "remove-path": _remove_path,
    "add-row": _add_row,
    "remove-row": _remove_row,
    "clear-rows": _clear_rows,
}
