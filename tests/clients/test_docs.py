"""What docs/ tells developers is what the code does and the admin offers."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from django.urls import resolve

from events import raw_json
from events.admin import recipes
from events.api import body, fields, parsing
from events.api.segment import TrackingView
from tests.stack import ROOT

DOCS = ROOT / "docs"
CLIENTS = (DOCS / "clients.md").read_text()
LINK = re.compile(r"\]\((?!https?:)([^)#\s]+)")


@pytest.mark.parametrize("slug", [recipe.slug for recipe in recipes.RECIPES])
def test_the_code_of_each_client_is_the_code_that_is_tested(slug: str) -> None:
    recipe = recipes.of(slug)
    key = recipes.NO_PUBLIC_KEY if recipe.in_browser else recipes.NO_SECRET_KEY
    code = recipes.filled(slug, "https://cuebird.example", "YOUR_SITE_ID", key).code
    assert f"\n{code.strip()}\n```\n" in CLIENTS


def test_the_addresses_are_there() -> None:
    found = re.findall(r"^\| \w+.*? \| (`/v1/.*?) \|", CLIENTS, re.MULTILINE)
    paths = [path for cell in found for path in re.findall(r"`(/v1/\w+)`", cell)]
    assert len(paths) == 14
    for path in paths:
        assert getattr(resolve(path).func, "cls", None) is TrackingView, path


@pytest.mark.parametrize(
    "limit",
    [
        f"{body.CALL_LIMIT // 1024} KB, unpacked",
        f"{body.BATCH_LIMIT // 1024} KB and {parsing.MAX_ITEMS:,} items",
        f"RudderStack's libraries {body.RUDDERSTACK_LIMIT // 1024 // 1024} MB",
        f"| {fields.MAX_TEXT} characters |",
        f"| {raw_json.MAX_DEPTH} levels |",
    ],
)
def test_the_limits_are_those_that_hold(limit: str) -> None:
    assert limit in CLIENTS


@pytest.mark.parametrize("page", [ROOT / "README.md", *sorted(DOCS.rglob("*.md"))], ids=lambda page: page.name)
def test_every_link_leads_somewhere(page: Path) -> None:
    for target in LINK.findall(page.read_text()):
        assert (page.parent / target).exists(), target
