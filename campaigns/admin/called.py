"""What people call what a definition names by its short name."""

from __future__ import annotations

from django.db.models import Model

from campaigns.models import Campaign
from events.models import Segment
from messaging.models import Topic


def segment(slug: object) -> str:
    """Return a segment's name in quotes, its short name where there is none. One statement."""
    return _called(Segment, slug)


def topic(slug: object) -> str:
    """Return a topic's name likewise."""
    return _called(Topic, slug)


def campaign(slug: object) -> str:
    """Return a campaign's name likewise."""
    return _called(Campaign, slug)


def _called(model: type[Model], slug: object) -> str:
    # Drafts may hold anything.
    name = model._default_manager.filter(slug=str(slug)).values_list("name", flat=True).first()
    return f"“{name}”" if name else str(slug)
