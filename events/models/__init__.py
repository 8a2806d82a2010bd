"""Who people are and what they did: the tables every other room reads.

``Event`` is append-only and partitioned by month of ``timestamp``; a unique index on a partitioned table has to hold
the partition key, so exact de-duplication lives in the narrow ``AcceptedMessage``. Everything a request stores is
written in one transaction by ``events.ingest``.
"""

from events.models.audit import AuditEntry, Erasure
from events.models.computed import ComputedTrait, ComputedValue
from events.models.log import AcceptedMessage, Event, EventCount, EventCountChange, InboundRequest, Pending
from events.models.people import Device, Group, Identity, Membership, Profile, SuppressedId, WatchedTrait
from events.models.plan import EventDefinition, PropertyStat, Violation
from events.models.retention import KeepFor
from events.models.segments import Segment, SegmentChange, SegmentHour, SegmentMember, SegmentTurn
from events.models.sources import ApiToken, Source, SourceKey, hash_key, new_key
from events.models.transfers import Import, ImportChunk, ImportFailure, ImportPerson

__all__ = [
    "AcceptedMessage",
    "ApiToken",
    "AuditEntry",
    "ComputedTrait",
    "ComputedValue",
    "Erasure",
    "Device",
    "Event",
    "EventCount",
    "EventCountChange",
    "EventDefinition",
    "Group",
    "Identity",
    "Import",
    "ImportChunk",
    "ImportFailure",
    "ImportPerson",
    "InboundRequest",
    "KeepFor",
    "Membership",
    "Pending",
    "Profile",
    "PropertyStat",
    "Segment",
    "SegmentChange",
    "SegmentHour",
    "SegmentMember",
    "SegmentTurn",
    "Source",
    "SourceKey",
    "SuppressedId",
    "Violation",
    "WatchedTrait",
    "hash_key",
    "new_key",
]
