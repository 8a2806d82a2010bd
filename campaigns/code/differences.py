"""What differs between two things, told as a deployment tool does: where, what it was, what it becomes. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

SHOWN = 60
NOTHING = object()


@dataclass(frozen=True, slots=True)
class Difference:
    """``sign`` is + for what comes, - for what goes, ~ for what changes."""

    sign: str
    place: str
    text: str


def differences(before: Any, after: Any, place: str = "") -> Iterator[Difference]:
    """Yield the differences in order; lists of things with ids are matched by those."""
    if before == after:
        return
    if isinstance(before, dict) and isinstance(after, dict):
        for key in [*before, *(key for key in after if key not in before)]:
            yield from differences(
                before.get(key, NOTHING), after.get(key, NOTHING), f"{place}.{key}" if place else key
            )
    elif _has_ids(before) and _has_ids(after):
        yield from _of_lists(before, after, place)
    elif before is NOTHING:
        yield Difference("+", place, _said(after))
    elif after is NOTHING:
        yield Difference("-", place, _said(before))
    else:
        yield Difference("~", place, f"{_said(before)} → {_said(after)}")


def _has_ids(value: Any) -> bool:
    return isinstance(value, list) and all(isinstance(each, dict) and isinstance(each.get("id"), str) for each in value)


def _of_lists(before: list[dict[str, Any]], after: list[dict[str, Any]], place: str) -> Iterator[Difference]:
    old, new = {each["id"]: each for each in before}, {each["id"]: each for each in after}
    for key in [*old, *(key for key in new if key not in old)]:
        yield from differences(old.get(key, NOTHING), new.get(key, NOTHING), f"{place}/{key}")
    kept_before, kept_after = [key for key in old if key in new], [key for key in new if key in old]
    if kept_before != kept_after:
        yield Difference("~", place, f"order: {', '.join(kept_before)} → {', '.join(kept_after)}")


def _said(value: Any) -> str:
    if isinstance(value, str):
        lines = value.strip().splitlines() or [""]
        text = f'"{lines[0]}"' + (f" … ({len(lines)} lines)" if len(lines) > 1 else "")
    elif isinstance(value, dict | list):
        text = f"{{{', '.join(map(str, value))}}}" if isinstance(value, dict) else f"[{len(value)} of them]"
    else:
        text = {None: "nothing", True: "true", False: "false"}.get(value, str(value))
    return text if len(text) <= SHOWN else f"{text[: SHOWN - 1]}…"
