"""Ask for people to be let into a campaign, whatever it starts with: ``Campaign Start Requested`` in the log.

Whether somebody enters is for enrollment to say, as of every event: the campaign's conditions hold, and its rules of
entry; the decision tells why not.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from hashlib import sha256
from typing import Any

from campaigns.listening import REQUESTED
from campaigns.models import Campaign
from events import log, present

# Properties of the event that are ours to say.
RESERVED = ("campaign", "depth", "reason", "intake", "occurrence", "missed")


class Reason(StrEnum):
    """Who asks, as the event's property ``reason`` says."""

    API = "api"
    HAND = "hand"
    STEP = "step"
    SCHEDULE = "schedule"
    DATE = "date"
    BACK_POPULATE = "back-populate"


# What such an event tells, also of the reasons of others who ask.
WORDS: dict[str, str] = {
    Reason.API: "asked for by the API",
    Reason.HAND: "let in by hand",
    Reason.STEP: "started by another campaign",
    Reason.DATE: "a date of the person’s came",
    Reason.SCHEDULE: "by the timetable",
    Reason.BACK_POPULATE: "matched already when the campaign was started",
}


@dataclass(frozen=True, slots=True)
class Request:
    """Somebody who is to be let in. Of several with the same ``key`` the first alone counts; "" for none."""

    profile_id: int
    properties: Mapping[str, Any] = field(default_factory=dict)
    key: str = ""


def ask(campaign: Campaign, requests: Sequence[Request], reason: Reason, by: str) -> list[bool]:
    """Append what asks for the starts in the caller's transaction; return for each whether it is new.

    ``by`` names who asks. Two statements at most. Raises ProfileGone.
    """
    now = present.now()
    entries = [
        log.Entry(
            each.profile_id,
            REQUESTED,
            {**each.properties, "campaign": campaign.slug, "reason": reason.value},
            now,
            {"asked_by": by},
            key=_key(campaign, each.key) if each.key else "",
        )
        for each in requests
    ]
    new = {id(entry) for entry in log.append(entries)}
    return [id(entry) in new for entry in entries]


def _key(campaign: Campaign, key: str) -> str:
    """Return a key of the log, which is of one length and tells nothing of what somebody has put into theirs."""
    return f"start:{campaign.pk}:{sha256(key.encode('utf-8', 'surrogatepass')).hexdigest()}"
