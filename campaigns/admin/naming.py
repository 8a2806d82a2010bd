"""The short names of new campaigns."""

from __future__ import annotations

from django.utils.text import slugify

from campaigns.admin import draft as drafts
from campaigns.models import Campaign


def unused_slug(name: str) -> str:
    """Return a slug for ``name`` that no campaign has."""
    stem = slugify(name)[:110] or "campaign"
    taken = set(Campaign.objects.filter(slug__startswith=stem).values_list("slug", flat=True))
    return drafts.unused(stem, taken)
