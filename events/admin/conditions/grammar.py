"""Describe the language of conditions to the builder, so that a browser knows no word of it by heart."""

from __future__ import annotations

from typing import Any

from events import vocabulary
from events.conditions import kinds, reading, words

# How several rules belong together, with the word that stands between two of them.
MODES = (
    ("all", "All of these hold", "and"),
    ("any", "At least one of these holds", "or"),
    ("none", "None of these holds", "nor"),
    ("not_all", "Not all of these hold", "and"),
)
STEPS = (("event", "Event"), ("page", "Page"), ("screen", "Screen"))
SUBJECTS = (
    ("About the person", (("trait", "Trait"), ("segment", "Segment"), ("member", "Group"))),
    ("What they did", (*STEPS, ("sequence", "In order"))),
)
# By the type of the value: how it is called, and the field that takes the value of each operator.
OPERATORS = (
    ("Text", "text", {**dict.fromkeys(("is", "is_not", "contains", "starts"), "text"), "in": "list"}),
    (
        "Number",
        "number",
        {**dict.fromkeys(("is", "is_not", *reading.ORDERINGS), "number"), "in": "list", "contains": "number"},
    ),
    ("Yes or no", "bool", dict.fromkeys(("is", "is_not"), "bool")),
    (
        "Date",
        "date",
        {"within_last": "span", "within_next": "span", "before": "moment", "after": "moment"},
    ),
    ("Any", "any", dict.fromkeys(("exists", "missing"), "none")),
)
# Where an operator is called otherwise than in the sentence: two types share it, or there it has no value.
LABELS = {
    "number:is": "is the number",
    "number:is_not": "is not the number",
    "number:in": "is one of the numbers",
    "number:contains": "is a list with the number",
    "any:exists": "has a value",
    "any:missing": "has no value",
}
# What to begin with for a type that the catalogue has seen.
FIRST = {
    "string": "text:is",
    "number": "number:gte",
    "boolean": "bool:is",
    "date": "date:within_last",
    "array": "text:contains",
}
# Ways to speak of something done; those that reckon or look at the clock are told by "takes".
MEASURES = (
    ("once", "at least once", ""),
    ("never", "not at all", ""),
    ("count", "so many times", "times"),
    ("sum", "with the sum of", "property"),
    ("avg", "with the average of", "property"),
    ("min", "with the least", "property"),
    ("max", "with the greatest", "property"),
    ("first", "for the first time", "date"),
    ("last", "for the last time", "date"),
    ("then_not", "and then not", "event"),
)
WINDOWS = (("ever", "at any time"), ("within", "in the last"), ("since", "since"))
UNITS = (("m", "minutes"), ("h", "hours"), ("d", "days"), ("w", "weeks"))
MOMENTS = (
    ("day", "the day"),
    ("time", "day and time"),
    ("ago", "so long ago"),
    ("ahead", "so far from now"),
    ("written", "as written"),
)


def grammar() -> dict[str, Any]:
    """Return the words of the builder as JSON: each list in the order in which it is offered."""
    return {
        "modes": [{"key": key, "label": label, "joint": joint} for key, label, joint in MODES],
        "subjects": [{"label": head, "kinds": _labelled(kinds_)} for head, kinds_ in SUBJECTS],
        "steps": _labelled(STEPS),
        "operators": [_operators(*each) for each in OPERATORS],
        "first": FIRST,
        "measures": [{"key": key, "label": label, "takes": takes} for key, label, takes in MEASURES],
        "times": _labelled(tuple((key, words.TIMES[key]) for key in TIMES)),
        "windows": _labelled(WINDOWS),
        "units": _labelled(UNITS),
        "moments": _labelled(MOMENTS),
        "kinds": [_kind(kind, kind.form) for kind in kinds.known().values() if kind.form is not None],
        "limits": {"depth": reading.MAX_DEPTH, "steps": reading.MAX_STEPS, "count": reading.MAX_COUNT},
    }


# The usual ones first.
TIMES = ("gte", "lte", "gt", "lt", "is", "is_not")


def _operators(head: str, type_: str, inputs: dict[str, str]) -> dict[str, Any]:
    offered = [
        {"key": f"{type_}:{key}", "label": LABELS.get(f"{type_}:{key}") or words.OPERATORS[key], "input": input_}
        for key, input_ in inputs.items()
    ]
    return {"label": head, "operators": offered}


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
        "only": {"key": field.only[0], "values": field.only[1]} if field.only else None,
    }


def _labelled(pairs: tuple[tuple[str, str], ...]) -> list[dict[str, str]]:
    return [{"key": key, "label": label} for key, label in pairs]
