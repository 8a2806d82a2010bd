"""Find the parsed workflow of a version. Versions never change, so each process parses one once."""

from __future__ import annotations

from collections.abc import Collection
from zoneinfo import ZoneInfo

from django.conf import settings

from campaigns.engine.definition import parse
from campaigns.engine.steps import Workflow
from campaigns.engine.timing import zone_of
from campaigns.models import CampaignVersion

_parsed: dict[int, Workflow] = {}


def of_versions(version_ids: Collection[int]) -> dict[int, Workflow]:
    """Return the workflows by version id. At most one statement, none for versions seen before."""
    missing = [version_id for version_id in version_ids if version_id not in _parsed]
    if missing:
        for version in CampaignVersion.objects.filter(pk__in=missing):
            _parsed[version.pk] = parse(version.definition)
    return {version_id: _parsed[version_id] for version_id in version_ids}


def zone_for(own: str, of_campaign: str) -> ZoneInfo:
    """Return the zone a person is reckoned in: their own, else the campaign's, else the installation's."""
    return zone_of((own, of_campaign, settings.FALLBACK_TIME_ZONE))
