"""Learn what became of messages: delivery events, status, the two lists, and ``Email …`` events in the log.

Reports come twice, late and in any order. Each is stored once (``event_key``), a status only moves along
``messaging.states``, and campaigns hear of each kind once per message (of clicks: once per link).
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

from django.core.serializers.json import DjangoJSONEncoder
from django.db import connection, transaction

from events import log
from events.raw_json import storable
from messaging import carrier_counts, lists, machines, permission, reporting
from messaging.lists import Left, Struck
from messaging.locks import lock_messages
from messaging.models import Message, MessageBody, Suppression
from messaging.names import ChannelName, event
from messaging.states import REPORTED, Status, after_report

# Anymail's kinds that say more than that the provider has the message.
STATUSES = {
    "delivered": Status.DELIVERED,
    "opened": Status.OPENED,
    "clicked": Status.CLICKED,
    "dismissed": Status.OPENED,
    "bounced": Status.BOUNCED,
    "rejected": Status.REJECTED,
    "failed": Status.REJECTED,
    "complained": Status.COMPLAINED,
    "unsubscribed": Status.UNSUBSCRIBED,
    # Whatever looked at it, it has arrived.
    "machine_opened": Status.DELIVERED,
    "machine_clicked": Status.DELIVERED,
}
# What the log is told of, and as what (see messaging.names).
DEEDS = {
    "delivered": "delivered",
    "opened": "opened",
    "clicked": "clicked",
    "dismissed": "dismissed",
    "bounced": "bounced",
    "rejected": "rejected",
    "failed": "rejected",
    "complained": "complained",
    "unsubscribed": "unsubscribed",
    "machine_opened": "machine_opened",
    "machine_clicked": "machine_clicked",
}
TRACKED = {"opened", "clicked"}
# These are about the person, not about the message: they prove nothing about it.
ABOUT_THE_PERSON = {"subscribed", "inbound", "inbound_failed", "unknown"}

# Two look-ups by index, which one OR would not be.
FIND = """
SELECT id, public_id::text FROM messaging_message WHERE public_id = ANY(%(public_ids)s::uuid[])
UNION ALL
SELECT id, provider_message_id FROM messaging_message
WHERE provider_message_id = ANY(%(provider_ids)s) AND provider_message_id <> ''
"""
KNOWN = """
SELECT DISTINCT message_id, CASE machine WHEN '' THEN type ELSE 'machine_' || type END,
       CASE type WHEN 'clicked' THEN url ELSE '' END
FROM messaging_deliveryevent WHERE message_id = ANY(%s)
"""
STORE = """
INSERT INTO messaging_deliveryevent
    (message_id, type, event_key, timestamp, reason, description, mta_response, url, user_agent, machine, raw)
SELECT message_id, type, event_key, timestamp, reason, description, mta_response, url, user_agent, machine, raw
FROM jsonb_to_recordset(%s::jsonb) AS r(
    message_id bigint, type text, event_key text, timestamp timestamptz, reason text, description text,
    mta_response text, url text, user_agent text, machine text, raw jsonb)
ORDER BY event_key
ON CONFLICT (event_key) DO NOTHING
RETURNING event_key
"""
MOVE = """
UPDATE messaging_message m
SET status = r.status, reason = '', detail = '', lease_until = NULL, updated_at = now(), sent_at = r.sent_at
FROM jsonb_to_recordset(%s::jsonb) AS r(id bigint, status text, sent_at timestamptz) WHERE m.id = r.id
"""


@dataclass(frozen=True, slots=True)
class Report:
    """What somebody says about one message, in anymail's words.

    The message is found by ``message_public_id`` or, failing that, by ``provider_message_id``, which may be either id.
    ``hard``: the address is no good, now or later. ``method``: how a person unsubscribed.
    """

    type: str
    event_key: str
    timestamp: datetime
    message_public_id: str = ""
    provider_message_id: str = ""
    reason: str = ""
    hard: bool = False
    description: str = ""
    mta_response: str = ""
    url: str = ""
    user_agent: str = ""
    method: str = "provider"
    raw: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class _Found:
    """``machine`` is why a program and no person did it, "" else."""

    report: Report
    message: Message
    machine: str = ""

    @property
    def kind(self) -> str:
        """What it counts as."""
        return f"machine_{self.report.type}" if self.machine else self.report.type


@transaction.atomic
def record(reports: Sequence[Report]) -> int:
    """Store reports and all that follows from them; return how many were new. A constant number of statements.

    Reports about messages that are not ours are passed over.
    """
    ids = _find(reports)
    if not ids:
        return 0
    messages = lock_messages(set(ids.values()))
    # A message may have been erased between the two looks.
    ids = {name: pk for name, pk in ids.items() if pk in messages}
    matched = [(report, messages[ids[key]]) for report in reports if (key := _key(report, ids)) is not None]
    found = _judged(_allowed(matched))
    known = _known(messages)
    new_keys = _store(found)
    fresh, seen = [], set()
    for one in sorted(found, key=lambda one: one.report.timestamp):
        if one.report.event_key in new_keys and one.report.event_key not in seen:
            seen.add(one.report.event_key)
            fresh.append(one)
    moved = _moved(fresh)
    _execute(MOVE, [{"id": one.message.pk, "status": status, "sent_at": _sent_at(one)} for one, status in moved])
    _strike(fresh)
    _count(fresh, known)
    reporting.tell([*_proofs(moved), *_news(fresh, known)])
    return len(fresh)


def is_about_ours(report: Report) -> bool:
    """Say whether there is a message that the report is about."""
    return _key(report, _find([report])) is not None


def _find(reports: Sequence[Report]) -> dict[str, int]:
    """Return message ids by what the reports call them. One statement."""
    names = {name for report in reports for name in (report.message_public_id, report.provider_message_id) if name}
    public_ids = [str(public_id) for name in names if (public_id := _as_uuid(name))]
    if not names:
        return {}
    with connection.cursor() as cursor:
        cursor.execute(FIND, {"public_ids": public_ids, "provider_ids": [name.replace("\0", "") for name in names]})
        return {name: pk for pk, name in cursor.fetchall()}


def _key(report: Report, ids: Mapping[str, int]) -> str | None:
    """Return under which of its names the report's message was found."""
    for name in (report.message_public_id, report.provider_message_id):
        spellings = (str(_as_uuid(name) or ""), name)
        for spelling in spellings:
            if spelling in ids:
                return spelling
    return None


def _allowed(found: Sequence[tuple[Report, Message]]) -> list[tuple[Report, Message]]:
    """Leave out what people do not want to be recorded. One statement, none where nothing was opened or clicked."""
    readers = {message.profile_id for report, message in found if report.type in TRACKED}
    refusing = permission.untracked(readers) if readers else set()
    return [
        (report, message)
        for report, message in found
        if not (report.type in TRACKED and message.profile_id in refusing)
    ]


def _judged(found: Sequence[tuple[Report, Message]]) -> list[_Found]:
    """Tell what programs did from what people did."""
    clicks: dict[int, list[tuple[float, str]]] = {}
    for report, message in found:
        if report.type == "clicked":
            clicks.setdefault(message.pk, []).append((report.timestamp.timestamp(), report.url))
    scanned = {pk for pk, moments in clicks.items() if machines.follows_all(moments)}
    judged = []
    for report, message in found:
        said = bool(report.raw.get("sg_machine_open"))
        own = report.event_key.startswith("own:") and message.channel == ChannelName.EMAIL
        # Within an application nobody reads for somebody else.
        is_mail = message.channel != ChannelName.IN_APP
        machine = machines.verdict(report.type, report.user_agent, said=said, own=own) if is_mail else ""
        if not machine and report.type == "clicked" and message.pk in scanned:
            machine = "all_links"
        judged.append(_Found(report, message, machine))
    return judged


def _as_uuid(text: str) -> UUID | None:
    try:
        return UUID(text)
    except ValueError:
        return None


def _known(messages: Iterable[int]) -> set[tuple[int, str, str]]:
    with connection.cursor() as cursor:
        cursor.execute(KNOWN, [list(messages)])
        return set(cursor.fetchall())


def _store(found: Sequence[_Found]) -> set[str]:
    rows = [
        {
            "message_id": one.message.pk,
            "type": one.report.type,
            "event_key": one.report.event_key,
            "timestamp": one.report.timestamp,
            "reason": one.report.reason,
            "description": one.report.description,
            "mta_response": one.report.mta_response,
            "url": one.report.url,
            "user_agent": one.report.user_agent,
            "machine": one.machine,
            "raw": one.report.raw,
        }
        for one in found
    ]
    return {row[0] for row in _execute(STORE, rows)}


def _moved(fresh: Sequence[_Found]) -> list[tuple[_Found, Status]]:
    """Return the messages whose status changes, each with the first report about it and the status it comes to."""
    first: dict[int, _Found] = {}
    statuses: dict[int, Status] = {}
    for one in fresh:
        if one.report.type not in ABOUT_THE_PERSON:
            first.setdefault(one.message.pk, one)
            status = statuses.get(one.message.pk, Status(one.message.status))
            statuses[one.message.pk] = after_report(status, STATUSES.get(one.kind, Status.SENT))
    return [(one, statuses[pk]) for pk, one in first.items() if statuses[pk] != one.message.status]


def _sent_at(one: _Found) -> datetime:
    return one.message.sent_at or one.message.called_at or one.report.timestamp


def _proofs(moved: Sequence[tuple[_Found, Status]]) -> list[log.Entry]:
    """Return ``Email Sent`` for messages of which nobody knew so far that they were out."""
    return [
        log.Entry(one.message.profile_id, event(one.message.channel, "sent"), one.message.news(), _sent_at(one))
        for one, _ in moved
        if one.message.status not in REPORTED and not one.message.is_aside
    ]


def _strike(fresh: Sequence[_Found]) -> None:
    lists.suppress([struck for one in fresh if (struck := _struck(one))])
    lists.unsubscribe(
        [
            Left(one.message.profile_id, one.report.method, one.message.pk)
            for one in fresh
            if one.report.type == "unsubscribed" and not one.message.is_aside
        ]
    )


COUNTED = {"bounced", "complained", "unsubscribed", "rejected"}


def _count(fresh: Sequence[_Found], known: set[tuple[int, str, str]]) -> None:
    """Count what mailbox providers and their people say, once for each mail. Two statements where they say anything."""
    heard = {(pk, kind) for pk, kind, _ in known}
    new: dict[tuple[int, str], _Found] = {}
    for one in fresh:
        if one.kind in COUNTED and one.message.channel == ChannelName.EMAIL and not one.message.is_aside:
            new.setdefault((one.message.pk, one.kind), one)
    told = {key: one for key, one in new.items() if key not in heard}
    if not told:
        return
    bodies = MessageBody.objects.filter(message__in={pk for pk, _ in told}).values_list(
        "message_id", "from_email", "message__provider_id"
    )
    senders = {pk: (sender, provider) for pk, sender, provider in bodies if provider}
    carrier_counts.add(
        carrier_counts.Happened(kind, _sent_at(one), senders[pk][1], senders[pk][0], one.message.address)
        for (pk, kind), one in told.items()
        if pk in senders
    )


def _struck(one: _Found) -> Struck | None:
    report, message = one.report, one.message
    if not message.address:
        return None
    words = report.mta_response or report.description
    if report.type == "complained":
        return Struck(message.address, Suppression.Cause.COMPLAINT, words, message.pk, message.channel)
    if report.hard:
        return Struck(message.address, Suppression.Cause.BOUNCE, words, message.pk, message.channel)
    return None


def _news(fresh: Sequence[_Found], known: set[tuple[int, str, str]]) -> list[log.Entry]:
    """Return what campaigns have not heard yet."""
    heard = set(known)
    kinds = {(pk, kind) for pk, kind, _ in known}
    entries = []
    for one in fresh:
        report, message, kind = one.report, one.message, one.kind
        mark = (message.pk, kind, report.url if report.type == "clicked" else "")
        if kind not in DEEDS or mark in heard or message.is_aside:
            continue
        heard.add(mark)
        properties = message.news()
        properties |= {name: value for name in ("url", "reason") if (value := getattr(report, name))}
        if one.machine:
            properties["machine"] = one.machine
        properties["first"] = (message.pk, kind) not in kinds
        kinds.add((message.pk, kind))
        entries.append(log.Entry(message.profile_id, event(message.channel, DEEDS[kind]), properties, report.timestamp))
    return entries


def _execute(statement: str, rows: Sequence[Mapping[str, object]]) -> list[tuple[Any, ...]]:
    """Run a set-based statement on ``rows``; return what it returns."""
    if not rows:
        return []
    text = storable(json.dumps(rows, cls=DjangoJSONEncoder).encode()).decode()
    with connection.cursor() as cursor:
        cursor.execute(statement, [text])
        return cursor.fetchall() if cursor.description else []
