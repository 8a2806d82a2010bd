"""Look over a draft before it is published, and say what may not be meant.

``campaigns.publishing.problems`` are errors and block. What is found here are warnings: each says what will happen and
what to do, and the author has to acknowledge it. A look costs a few statements for each kind, however many steps there
are.
"""

from __future__ import annotations

from campaigns import unknown
from campaigns.engine.definition import DefinitionError, parse
from campaigns.models import Campaign
from campaigns.preflight import circles, mails, reach, volume
from campaigns.preflight.finding import Finding
from campaigns.preflight.volume import Forecast

__all__ = ["Finding", "Forecast", "forecast", "warnings"]


def warnings(campaign: Campaign) -> list[Finding]:
    """Return what is worth a look in the draft, in the order of the page; nothing where it cannot be read yet."""
    draft = campaign.draft
    try:
        workflow = parse(draft)
    except DefinitionError:
        return []
    return [
        *(
            Finding("unknown", each.path, each.message, "Correct it, unless it is new.")
            for each in unknown.warnings(draft)
        ),
        *volume.empty_segments(draft),
        *reach.warnings(workflow, draft),
        *circles.warnings(workflow, draft, campaign.slug),
        *mails.warnings(workflow, draft),
        *volume.warnings(workflow, draft),
    ]


def forecast(campaign: Campaign) -> Forecast | None:
    """Return how many are likely to come, None where the draft does not say enough or nothing is known."""
    try:
        return volume.forecast(parse(campaign.draft))
    except DefinitionError:
        return None
