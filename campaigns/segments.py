"""Which campaigns use a segment: in their draft, or in a version that takes people in or still has some."""

from __future__ import annotations

from collections.abc import Iterator

from django.db.models import Exists, OuterRef, Q
from django.urls import reverse

from campaigns.models import Campaign, CampaignVersion, Journey, LivePeriod
from events.segments.usage import Use, mentions


def uses(slug: str) -> Iterator[Use]:
    """Yield the campaigns that speak of the segment. Two statements."""
    live = LivePeriod.objects.filter(version=OuterRef("pk"), ended_at=None)
    under_way = Journey.objects.filter(version=OuterRef("pk")).exclude(state=Journey.State.ENDED)
    versions = CampaignVersion.objects.filter(Q(Exists(live)) | Q(Exists(under_way)))
    running = {pk for pk, definition in versions.values_list("campaign_id", "definition") if mentions(definition, slug)}
    for campaign in Campaign.objects.order_by("name"):
        if campaign.pk in running or mentions(campaign.draft, slug):
            yield Use("Campaign", campaign.name, reverse("admin:campaigns_campaign_change", args=[campaign.pk]))
