"""Where steps and paths stand in a definition, as its problems are named; what is malformed is passed over. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any


def steps(trees: Any, path: str) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield place and tree of each step in the list that stands at ``path``, not of those within them."""
    for index, tree in enumerate(trees if isinstance(trees, list) else []):
        if isinstance(tree, dict):
            yield f"{path}[{index}]", tree


def all_steps(definition: Mapping[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield place and tree of every step, also within paths, in reading order."""
    yield from _all_steps(definition.get("steps"), "steps")


def send_steps(definition: Mapping[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield place and tree of every step that sends a message, also within paths."""
    return ((place, step) for place, step in all_steps(definition) if step.get("kind") == "send")


def by_id(definition: Mapping[str, Any]) -> dict[str, str]:
    """Return the place of every step by its id, in reading order; each has to have one."""
    return {str(step["id"]): place for place, step in all_steps(definition)}


def _all_steps(trees: Any, path: str) -> Iterator[tuple[str, dict[str, Any]]]:
    for place, step in steps(trees, path):
        yield place, step
        for way_place, way in paths(step, place):
            yield from _all_steps(way.get("steps"), f"{way_place}.steps")


def paths(step: dict[str, Any], place: str) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield place and tree of each path that leads out of the step at ``place``; its own steps are under ``steps``."""
    return steps(step.get("paths"), f"{place}.paths")
