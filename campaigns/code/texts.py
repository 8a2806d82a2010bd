"""YAML that is the same bytes for the same thing, read without surprises.

Only what JSON knows is read: no dates, no ``yes`` for true, no anchors, no tags, no key twice. So ``on: 2026-11-27``
is a text under the name "on". Each value knows the line that it stands in.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import yaml
from yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode

# What people look for first, in this order; everything else follows by the alphabet.
FIRST = ("kind", "slug", "name", "id", "base", "description", "event", "trigger", "reentry", "goal", "exits", "steps")
LAST = ("paths", "html", "text", "definition")
TAG = "tag:yaml.org,2002:"
# YAML's core schema. What is none of these is text.
PLAIN = {
    "null": (re.compile(r"~|null|Null|NULL|"), ["~", "n", "N", ""]),
    "bool": (re.compile(r"true|True|TRUE|false|False|FALSE"), list("tTfF")),
    "int": (re.compile(r"[-+]?[0-9]+"), list("-+0123456789")),
    "float": (re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?"), list("-+.0123456789")),
}
# Characters that a literal block would not keep as they are.
UNKEPT = re.compile(
    "[\r\x85\u2028\u2029\ufeff\t]| \n|\\A[\n ]|[^\t\n -\x7e\xa0-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]"
)


class CodeError(ValueError):
    """Raised for a text that cannot be read; ``line`` counts from 1, ``place`` is the path of what is wrong."""

    def __init__(self, message: str, line: int = 0, place: str = "") -> None:
        super().__init__(message)
        self.message, self.line, self.place = message, line, place


@dataclass(frozen=True, slots=True)
class Text:
    """A document as JSON has it, and the line of each value by its path, such as ``definition.steps[0].seconds``."""

    value: Any
    lines: Mapping[str, int] = field(default_factory=dict)

    def line(self, place: str) -> int:
        """Return the line of ``place``, or of the nearest around it."""
        while place and place not in self.lines:
            place = place[: max(place.rfind("."), place.rfind("["), 0)]
        return self.lines.get(place, 1)


class _Loader(yaml.SafeLoader):
    yaml_implicit_resolvers: dict[str, Any] = {}


class _Dumper(yaml.SafeDumper):
    yaml_implicit_resolvers: dict[str, Any] = {}

    def ignore_aliases(self, data: Any) -> bool:
        return True

    def increase_indent(self, flow: bool = False, indentless: bool = False) -> None:
        super().increase_indent(flow, False)


for _name, (_pattern, _begins) in PLAIN.items():
    for _class in (_Loader, _Dumper):
        _class.add_implicit_resolver(f"{TAG}{_name}", re.compile(f"(?:{_pattern.pattern})\\Z"), _begins)


def _text(dumper: yaml.SafeDumper, value: str) -> ScalarNode:
    style = "|" if "\n" in value and not UNKEPT.search(value) else None
    if style is None and UNKEPT.search(value):
        style = '"'
    return dumper.represent_scalar(f"{TAG}str", value, style=style)


_Dumper.add_representer(str, _text)


def write(value: Mapping[str, Any]) -> str:
    """Return ``value``, which JSON could hold, as YAML: the same bytes for equal values."""
    text: str = yaml.dump(
        _ordered(value), Dumper=_Dumper, sort_keys=False, allow_unicode=True, default_flow_style=False, width=10**6
    )
    return text


def _ordered(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _ordered(value[key]) for key in sorted(value, key=_rank)}
    return [_ordered(each) for each in value] if isinstance(value, list | tuple) else value


def _rank(key: str) -> tuple[int, int, str]:
    if key in FIRST:
        return 0, FIRST.index(key), key
    return (2, LAST.index(key), key) if key in LAST else (1, 0, key)


def read(text: str) -> Text:
    """Return what one document says. Raises CodeError with the line."""
    try:
        for token in yaml.scan(text, Loader=_Loader):
            if isinstance(token, yaml.AnchorToken | yaml.AliasToken | yaml.TagToken):
                raise CodeError("anchors, aliases and tags are not read: write it out", token.start_mark.line + 1)
        node = yaml.compose(text, Loader=_Loader)
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 0
        raise CodeError(f"this is no YAML: {error.problem}", line) from None
    except yaml.YAMLError as error:
        raise CodeError(f"this is no YAML: {error}") from None
    lines: dict[str, int] = {}
    value = _value(node, "", lines) if node else None
    if not isinstance(value, dict):
        raise CodeError("a file holds names with their values", 1)
    return Text(value, lines)


def _value(node: Node, place: str, lines: dict[str, int]) -> Any:
    lines[place] = node.start_mark.line + 1
    match node:
        case MappingNode():
            found: dict[str, Any] = {}
            for key_node, inner in node.value:
                key, line = _key(key_node, place)
                if key in found:
                    raise CodeError(f"{key} is said twice", line, place)
                here = f"{place}.{key}" if place else key
                found[key] = _value(inner, here, lines)
                lines[here] = line
            return found
        case SequenceNode():
            return [_value(inner, f"{place}[{index}]", lines) for index, inner in enumerate(node.value)]
    return _scalar(node, place)


def _key(node: Node, place: str) -> tuple[str, int]:
    line = node.start_mark.line + 1
    if not isinstance(node, ScalarNode):
        raise CodeError("a name has to be a text", line, place)
    return str(node.value), line


def _scalar(node: Node, place: str) -> Any:
    match node.tag.removeprefix(TAG):
        case "null":
            return None
        case "bool":
            return node.value.lower() == "true"
        case "int":
            return int(node.value)
        case "float":
            return float(node.value)
        case _:
            return str(node.value)
