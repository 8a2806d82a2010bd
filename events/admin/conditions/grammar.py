"""Describe the language of conditions to the builder, so that a browser knows no word of it by heart."""

from __future__ import annotations

from typing import Any

from events import vocabulary
from events.conditions import kinds, reading, words

# What an operator compares with, by the field that takes it.
VALUES = {
    "is": "scalar",
    "is_not": "scalar",
    "gt": "number",
    "gte": "number",
    "lt": "number",
    "lte": "number",
    "contains": "scalar",
    "starts": "text",
    "in": "list",
    "exists": "boolean",
    "before": "moment",
    "after": "moment",
    "within_last": "span",
    "within_next": "span",
}
LABELS = {**words.OPERATORS, "exists": "is known"}
# Which types of values (the catalogue's words, and "date") it makes sense to compare so; the usual ones first.
BY_TYPE = {
    "string": ("is", "is_not", "in", "contains", "starts", "exists", *reading.DATED),
    "number": ("is", "is_not", *reading.ORDERINGS, "in", "exists", *reading.DATED),
    "boolean": ("is", "is_not", "exists"),
    "array": ("contains", "exists"),
    "object": ("exists",),
    "date": (*reading.DATED, "exists"),
    "": reading.OPERATORS,
}
JOINS = (("all", "all of these"), ("any", "at least one of these"), ("not", "not"))
SUBJECTS = (
    ("trait", "A trait of the person"),
    ("event", "Something the person did"),
    ("page", "A page the person saw"),
    ("screen", "A screen the person saw"),
    ("sequence", "One thing after the other"),
    ("group", "A group the person belongs to"),
    ("property", "A property of the event"),
)
# Where which subjects may stand: in "where" the event's properties alone.
ABOUT = {
    "person": ("trait", "event", "page", "screen", "sequence", "group"),
    "event": tuple(key for key, _ in SUBJECTS),
    "where": ("property",),
}
MEASURES = (
    ("count", "so many times", reading.NUMERIC, "whole"),
    ("sum", "with a sum of", reading.NUMERIC, "number"),
    ("avg", "with an average of", reading.NUMERIC, "number"),
    ("min", "with a least", reading.NUMERIC, "number"),
    ("max", "with a greatest", reading.NUMERIC, "number"),
    ("first", "for the first time", reading.DATED, "date"),
    ("last", "for the last time", reading.DATED, "date"),
    ("then_not", "and then not", (), "event"),
)
UNITS = (("m", "minutes"), ("h", "hours"), ("d", "days"), ("w", "weeks"))


def grammar() -> dict[str, Any]:
    """Return the language as JSON: see the keys. ``labels`` of operators follow the name of what is compared."""
    return {
        "joins": _labelled(JOINS),
        "subjects": _labelled(SUBJECTS),
        "about": {about: list(subjects) for about, subjects in ABOUT.items()},
        "operators": [{"key": key, "label": LABELS[key], "value": VALUES[key]} for key in reading.OPERATORS],
        "by_type": {type_: list(operators) for type_, operators in BY_TYPE.items()},
        "measures": [
            {"key": key, "label": label, "operators": list(operators), "value": value, "property": key in _OF_PROPERTY}
            for key, label, operators, value in MEASURES
        ],
        "times": words.TIMES,
        "windows": _labelled((("within", "in the last"), ("since", "since"))),
        "units": _labelled(UNITS),
        "kinds": [_kind(kind, kind.form) for kind in kinds.known().values() if kind.form is not None],
        "limits": {"depth": reading.MAX_DEPTH, "steps": reading.MAX_STEPS, "count": reading.MAX_COUNT},
    }


_OF_PROPERTY = frozenset(reading.FUNCTIONS)


def _kind(kind: kinds.Kind, form: kinds.Form) -> dict[str, Any]:
    return {"key": kind.key, "label": form.label, "fields": [_field(kind, field) for field in form.fields]}


def _field(kind: kinds.Kind, field: kinds.Field) -> dict[str, Any]:
    return {
        "key": field.key,
        "label": field.label,
        "control": field.control,
        "words": vocabulary.of_field(kind, field) if field.names else "",
        "choices": [{"value": value, "label": label} for value, label in field.choices],
        "required": field.required,
    }


def _labelled(pairs: tuple[tuple[str, str], ...]) -> list[dict[str, str]]:
    return [{"key": key, "label": label} for key, label in pairs]
