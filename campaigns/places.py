"""Where steps and paths stand in a definition, as its problems are named; what is malformed is passed over. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any


def steps(trees: Any, path: str) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield place and tree of each step in the list that stands at ``path``, not of those within them."""
    for index, tree in enumerate(trees if isinstance(trees, list) else []):
        if isinstance(tree, dict):
            yield f"{path}[{index}]", tree


def paths(step: dict[str, Any], place: str) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield place and tree of each path that leads out of the step at ``place``; its own steps are under ``steps``."""
    return steps(step.get("paths"), f"{place}.paths")
