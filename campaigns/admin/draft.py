"""Edit a draft definition: find, add, move and remove steps and paths. Pure: each edit works on a copy.

A list of steps is addressed as "" (the workflow itself) or "branch/path". Drafts may be half done, so everything
here puts up with what is missing; whether a draft can be published is ``campaigns.engine.definition``'s question.
"""

from __future__ import annotations

import copy
import hashlib
import json
import re
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from typing import Any

from campaigns.admin import sorts
from campaigns.admin.sorts import SORTS

Draft = dict[str, Any]
Step = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Place:
    """A gap between steps: the list's address and the index before which a step would stand."""

    address: str
    index: int


def empty() -> Draft:
    """Return what a new campaign starts with: a trigger to choose and one mail."""
    return opened({"steps": [{"id": "mail", **_fresh("send")}]})


def opened(draft: Any) -> Draft:
    """Return a copy of ``draft`` with every part in place, so that a page can show and edit it."""
    source = draft if isinstance(draft, dict) else {}
    result: Draft = copy.deepcopy(source)
    trigger = _dict(result, "trigger")
    fresh = {"event": ""} if trigger.get("kind", "event") == "event" else {}
    result["trigger"] = {**fresh, "where": None} | trigger
    result["reentry"] = {"rule": "once"} | _dict(result, "reentry")
    result["steps"] = _steps(result.get("steps"), set())
    result["goal"] = result.get("goal") if isinstance(result.get("goal"), dict) else None
    result["time_zone"] = str(result.get("time_zone") or "")
    speed = result.get("speed")
    result["speed"] = speed if isinstance(speed, int) and speed > 0 else 1
    return result


def revision(draft: Any) -> str:
    """Return a short digest of a draft: two editors who saw the same one share it."""
    text = json.dumps(draft, sort_keys=True, ensure_ascii=False)
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:16]


def walk(draft: Draft) -> Iterator[Step]:
    """Yield every step in reading order, those of paths behind their branch."""
    yield from _walk(draft["steps"])


def find(draft: Draft, step_id: str) -> Step | None:
    """Return the step itself, not a copy."""
    return next((step for step in walk(draft) if step.get("id") == step_id), None)


def paths(step: Step) -> list[dict[str, Any]]:
    """Return the paths that lead out of a step, those that are any."""
    found = step.get("paths")
    return [path for path in found if isinstance(path, dict)] if isinstance(found, list) else []


def add(draft: Draft, sort: str, place: Place, taken: Collection[str]) -> tuple[Draft, str]:
    """Put a fresh step of a sort at ``place``; ``taken`` ids, of published versions, are not used again."""
    result = copy.deepcopy(draft)
    steps = steps_at(result, place.address)
    if steps is None or sort not in SORTS:
        return result, ""
    used = {str(step["id"]) for step in walk(result)} | set(taken)
    step_id = unused(SORTS[sort].stem, used)
    step = {"id": step_id, **_fresh(sort)}
    steps.insert(place.index, step)
    return result, step_id


def remove(draft: Draft, step_id: str) -> Draft:
    """Take a step away, and with a branch all that its paths hold."""
    result = copy.deepcopy(draft)
    _take(result, step_id)
    return result


def move(draft: Draft, step_id: str, by: int) -> Draft:
    """Move a step by one place in reading order, up (-1) or down (+1): also into and out of a branch's paths."""
    result = copy.deepcopy(draft)
    place = place_of(result, step_id)
    step = _take(result, step_id)
    if place is None or step is None:
        return result
    gaps = list(_gaps(result["steps"], ""))
    index = min(max(gaps.index(place) + by, 0), len(gaps) - 1)
    target = steps_at(result, gaps[index].address)
    if target is not None:
        target.insert(gaps[index].index, step)
    return result


def place_of(draft: Draft, step_id: str) -> Place | None:
    """Return where a step stands."""
    for address, steps in _all_lists(draft["steps"], ""):
        for index, step in enumerate(steps):
            if step.get("id") == step_id:
                return Place(address, index)
    return None


def steps_at(draft: Draft, address: str) -> list[Step] | None:
    """Return the list of steps at an address, itself and not a copy."""
    found: list[Step] | None = dict(_all_lists(draft["steps"], "")).get(address)
    return found


def add_path(draft: Draft, step_id: str) -> tuple[Draft, str]:
    """Give a branch one more path, before "everybody else", and a split one more behind the others."""
    result = copy.deepcopy(draft)
    step = find(result, step_id)
    if step is None:
        return result, ""
    present = step.setdefault("paths", [])
    path_id = unused("path", {str(path.get("id")) for path in paths(step)})
    if step.get("kind") == "split":
        present.append({"id": path_id, "name": "", "weight": 50, "steps": []})
        return result, path_id
    if not present or not is_else(step, present[-1]):
        present.append({"id": "else", "name": "Everybody else", "steps": []})
    present.insert(len(present) - 1, {"id": path_id, "name": "", "if": None, "steps": []})
    return result, path_id


def remove_path(draft: Draft, step_id: str, path_id: str) -> Draft:
    """Take a path away with the steps in it. A branch's "everybody else" stays."""
    result = copy.deepcopy(draft)
    step = find(result, step_id)
    if step is not None:
        step["paths"] = [path for path in paths(step) if path.get("id") != path_id or is_else(step, path)]
    return result


def is_else(step: Step, path: dict[str, Any]) -> bool:
    """Say whether a path of a branch takes everybody whom no other path took."""
    return step.get("kind") == "branch" and "if" not in path


def unused(stem: str, used: Collection[str]) -> str:
    """Return ``stem`` as an id, numbered if it is taken."""
    base = re.sub(r"[^a-z0-9]+", "-", stem.lower()).strip("-")[:40] or "step"
    number = 1
    while (candidate := base if number == 1 else f"{base}-{number}") in used:
        number += 1
    return candidate


def _walk(steps: list[Step]) -> Iterator[Step]:
    for step in steps:
        yield step
        for path in paths(step):
            yield from _walk(path["steps"])


def _all_lists(steps: list[Step], address: str) -> Iterator[tuple[str, list[Step]]]:
    yield address, steps
    for step in steps:
        for path in paths(step):
            yield from _all_lists(path["steps"], f"{step.get('id')}/{path.get('id')}")


def _gaps(steps: list[Step], address: str) -> Iterator[Place]:
    for index, step in enumerate(steps):
        yield Place(address, index)
        for path in paths(step):
            yield from _gaps(path["steps"], f"{step.get('id')}/{path.get('id')}")
    yield Place(address, len(steps))


def _take(draft: Draft, step_id: str) -> Step | None:
    place = place_of(draft, step_id)
    steps = None if place is None else steps_at(draft, place.address)
    return None if place is None or steps is None else steps.pop(place.index)


def _steps(steps: Any, used: set[str]) -> list[Step]:
    """Return the steps that are objects, their paths' lists in place, ids that lack or come twice given anew."""
    found = [step for step in steps if isinstance(step, dict)] if isinstance(steps, list) else []
    for step in found:
        _name(step, sorts.of(step).stem, used)
        if step.get("kind") in sorts.WITH_PATHS:
            step["paths"] = paths(step)
        used_paths: set[str] = set()
        for path in paths(step):
            _name(path, "path", used_paths)
            path["steps"] = _steps(path.get("steps"), used)
        ways = paths(step)
        if step.get("kind") == "branch" and len(ways) > 1 and ways[-1].get("if") is None:
            ways[-1].pop("if", None)
    return found


def _fresh(sort: str) -> Step:
    found = SORTS[sort]
    step = {"kind": found.kind or sort, "name": "", **copy.deepcopy(dict(found.fresh))}
    for path in paths(step):
        path.setdefault("steps", [])
    return step


def _name(part: dict[str, Any], stem: str, used: set[str]) -> None:
    if not isinstance(part.get("id"), str) or not part["id"] or part["id"] in used:
        part["id"] = unused(stem, used)
    used.add(part["id"])


def _dict(source: Draft, key: str) -> dict[str, Any]:
    value = source.get(key)
    return value if isinstance(value, dict) else {}
