"""What a token of the management API may do. Pure."""

from __future__ import annotations

from collections.abc import Collection

EVERYTHING = "*"

# In the order of the form that makes a token.
SCOPES: dict[str, str] = {
    "profiles:read": "Read people, their groups and their activity",
    "profiles:write": "Change and merge people",
    "privacy:write": "Export, suppress and erase people; choose how long things are kept",
    "audit:read": "Read the audit log",
    "events:read": "Read the event log and the calls that were refused",
    "catalogue:read": "Read the tracking plan",
    "catalogue:write": "Change the tracking plan",
    "segments:read": "Read segments and who is in them",
    "segments:write": "Make, change and delete segments, and change who is in lists kept by hand",
    "computed:read": "Read computed traits",
    "computed:write": "Make, change and remove computed traits",
    "sources:read": "Read sources and their keys' labels",
    "sources:write": "Make and change sources and keys",
    "imports:read": "Watch imports, and export people and events",
    "imports:write": "Import people and events",
    "topics:read": "Read topics and what people have said of them",
    "topics:write": "Subscribe people to topics, and unsubscribe them",
    "consent:read": "Read consents, and addresses that are not written to",
    "consent:write": "Note consents, and change which addresses are not written to",
    "messages:read": "Read what became of messages",
    "messages:write": "Send messages to people",
    "campaigns:read": "Read campaigns as files, and why somebody got one or not",
    "campaigns:write": "Let people into campaigns, and apply campaigns from files",
}


def allows(scopes: Collection[str], needed: str) -> bool:
    """Say whether a token with these scopes may do what ``needed`` names; who may write may read."""
    area = needed.partition(":")[0]
    return not {EVERYTHING, needed, f"{area}:write"}.isdisjoint(scopes)
