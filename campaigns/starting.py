"""Make a campaign from a starter, with the templates and the segment that it needs."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from typing import Any

from django.db import models, transaction

from campaigns import starters
from campaigns.models import Campaign
from campaigns.starters import Slot, Starter
from events import catalog, references
from events.models import Segment
from events.segments import keeping
from messaging.models import Template

# “Signed Up” is three quarters like “Signed In”, and means something else.
LIKENESS = 0.85


def unused(model: type[models.Model], field: str, wanted: str, join: Callable[[str, int], str] = "{} {}".format) -> str:
    """Return ``wanted``, with a number behind it where a row has it already. One statement."""
    taken = set(model._default_manager.filter(**{f"{field}__startswith": wanted}).values_list(field, flat=True))
    candidates = [wanted, *(join(wanted, number) for number in range(2, len(taken) + 2))]
    return next(each for each in candidates if each not in taken)


@transaction.atomic
def start(starter: Starter, name: str, slug: str, names: Mapping[str, str]) -> Campaign:
    """Make the draft of a campaign, its templates and its segment; nothing is published.

    ``names`` leads from usual names of events to this installation's. Raises IntegrityError when the name is taken.
    """
    references.hold()  # or the segment could be deleted before the campaign that starts by it is there
    templates = [_template(mail).pk for mail in starter.mails]
    segment = segment_for(starter, names)
    if segment is not None and segment._state.adding:
        keeping.store(segment, ["condition"])
    draft = starters.draft(starter, names, templates, segment.slug if segment else "")
    return Campaign.objects.create(name=name, slug=slug, description=starter.description, draft=draft)


def segment_for(starter: Starter, names: Mapping[str, str]) -> Segment | None:
    """Return the segment that the starter begins with: the one that is there, else a new one that is not saved yet."""
    ready = starters.segment_of(starter)
    if ready is None:
        return None
    condition: dict[str, Any] = starters.renamed(ready.condition, names)
    same = Segment.objects.filter(slug__startswith=ready.slug, kind=Segment.Kind.DYNAMIC, condition=condition)
    return same.order_by("pk").first() or Segment(
        name=unused(Segment, "name", ready.name),
        slug=unused(Segment, "slug", ready.slug, "{}-{}".format),
        description=f"Starts the ready-made campaign “{starter.name}”.",
        condition=condition,
    )


def guess(slot: Slot, known: Collection[str]) -> str:
    """Return which of the ``known`` events means the slot's: by its usual name, by another, by the nearest; "" none."""
    if slot.usual in known:
        return slot.usual
    by_letters = {_letters(name): name for name in known}
    wanted = [_letters(name) for name in (slot.usual, *slot.others)]
    same = next((by_letters[letters] for letters in wanted if letters in by_letters), "")
    return same or next(
        (by_letters[near] for each in wanted if (near := catalog.spelled_like(each, by_letters, LIKENESS))), ""
    )


def _letters(name: str) -> str:
    return "".join(letter for letter in name.casefold() if letter.isalnum())


def _template(mail: starters.Mail) -> Template:
    return Template.objects.create(
        name=unused(Template, "name", mail.name), subject=mail.subject, preheader=mail.preheader, html=mail.html
    )
