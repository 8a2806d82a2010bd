"""List what can be written into a template: the variables a chosen person and event really have."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

# Deeper values are rare in mails, and the list has to stay readable.
DEPTH = 3
LIMIT = 60
EXAMPLE_LENGTH = 60

NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_-]*")


@dataclass(frozen=True, slots=True)
class Variable:
    """``code`` is what is inserted, ``example`` its present value."""

    path: str
    code: str
    example: str


@dataclass(frozen=True, slots=True)
class Group:
    title: str
    variables: tuple[Variable, ...]


def always() -> Group:
    """Return what every mail has."""
    link = Variable("unsubscribe_url", "{{ unsubscribe_url }}", "the person's own unsubscribe address")
    address = Variable("postal_address", "{{ postal_address }}", "your postal address, from Sending limits")
    view = Variable("view_in_browser_url", "{{ view_in_browser_url }}", "where the mail can be read in a browser")
    return Group("In every mail", (link, address, view))


def group(title: str, root: str, values: Mapping[str, object]) -> Group:
    """Return the variables below ``root`` that ``values`` holds, by name."""
    found = sorted(_walk(root, values, DEPTH), key=lambda variable: variable.path)
    return Group(title, tuple(found[:LIMIT]))


def _walk(path: str, values: Mapping[str, object], depth: int) -> Iterator[Variable]:
    for key, value in values.items():
        inner = _join(path, str(key))
        if isinstance(value, Mapping) and depth > 1:
            yield from _walk(inner, value, depth - 1)
        elif isinstance(value, list):
            code = "{% for item in " + inner + " %}{{ item }}{% endfor %}"
            yield Variable(inner, code, f"a list of {len(value)}")
        elif value is not None:
            yield Variable(inner, "{{ " + inner + " }}", _example(value))


def _join(path: str, key: str) -> str:
    if NAME.fullmatch(key):
        return f"{path}.{key}"
    quote = "'" if '"' in key else '"'
    return f"{path}[{quote}{key}{quote}]"


def _example(value: object) -> str:
    text = str(value).lower() if isinstance(value, bool) else str(value)
    return (text if len(text) <= EXAMPLE_LENGTH else text[: EXAMPLE_LENGTH - 1] + "…") or "empty"
