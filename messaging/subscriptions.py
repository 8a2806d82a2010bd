"""What people say of topics: noted for many at once, and what it comes to.

Rows are only added. Of a channel the newest counts that was said of it or of all channels. The people are held while
somebody writes, so that what is newest is so for everybody, and nothing is told that changed nothing.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass

from django.db import connection, transaction

from events import log, people, present
from messaging import optin
from messaging.models import Subscription, Topic
from messaging.policy import TopicState

SUBSCRIBED, UNSUBSCRIBED, REQUESTED = "Topic Subscribed", "Topic Unsubscribed", "Topic Subscription Requested"
State = Subscription.State
EVENTS = {State.SUBSCRIBED.value: SUBSCRIBED, State.UNSUBSCRIBED.value: UNSUBSCRIBED, State.PENDING.value: REQUESTED}
ALL = Subscription.Channel.ALL.value


@dataclass(frozen=True, slots=True)
class Said:
    """What somebody says of a topic. ``state``, ``channel`` and ``source`` are values of ``Subscription``'s choices.

    ``basis`` is what the consent rests on, in words. ``confirmed``: the person has confirmed it by a mail; of others
    who subscribe to a topic that wants that, it is noted that they have been asked.
    """

    profile_id: int
    topic_id: int
    state: str
    source: str
    channel: str = ALL
    basis: str = ""
    confirmed: bool = False


# Known already is what has been said of the channel, or of all, and by nothing since otherwise. An application sends
# everything it knows along with everything: it brings nobody back who has left in any other way.
NOTE = """
INSERT INTO messaging_subscription (profile_id, topic_id, channel, state, source, basis, at)
SELECT r.profile_id, r.topic_id, r.channel, r.state, r.source, r.basis, clock_timestamp()
FROM jsonb_to_recordset(%s) AS r(
    profile_id bigint, topic_id bigint, channel text, state text, source text, basis text)
JOIN events_profile p ON p.id = r.profile_id
WHERE NOT coalesce((
    SELECT bool_and(s.state = r.state OR r.state = 'pending' AND s.state = 'subscribed') FROM messaging_subscription s
    WHERE s.profile_id = r.profile_id AND s.topic_id = r.topic_id
      AND (r.channel = 'all' OR s.channel IN ('all', r.channel))
      AND s.id >= (SELECT max(base.id) FROM messaging_subscription base
                   WHERE base.profile_id = r.profile_id AND base.topic_id = r.topic_id
                     AND base.channel IN ('all', r.channel))), false)
  AND NOT (r.source = 'application' AND r.state <> 'unsubscribed' AND EXISTS (
    SELECT FROM messaging_subscription own
    WHERE own.profile_id = r.profile_id AND own.topic_id = r.topic_id
      AND own.state = 'unsubscribed' AND own.source <> 'application'
      AND own.id > coalesce((SELECT max(back.id) FROM messaging_subscription back
                             WHERE back.profile_id = r.profile_id AND back.topic_id = r.topic_id
                               AND back.state = 'subscribed'
                               AND (back.channel = own.channel OR back.channel = 'all')), 0)))
ORDER BY r.profile_id, r.topic_id, r.channel
RETURNING id, profile_id, topic_id, channel, state, source
"""


def note(said: Iterable[Said]) -> int:
    """Note what people say, and tell the log where it is new; return how many things were. Three statements and a look.

    Of several things said of one person, topic and channel the last counts. Holds the people, ids ascending. People
    who are gone are passed over.
    """
    last = {(one.profile_id, one.topic_id, one.channel): one for one in said}
    if not last:
        return 0
    topics = Topic.objects.in_bulk({one.topic_id for one in last.values()})
    rows = [_row(one, topics[one.topic_id]) for one in last.values() if one.topic_id in topics]
    with transaction.atomic(), connection.cursor() as cursor:
        people.hold(one.profile_id for one in last.values())
        cursor.execute(NOTE, [json.dumps(rows)])
        new = cursor.fetchall()
        now = present.now()
        log.append(
            [
                log.Entry(
                    profile_id,
                    EVENTS[state],
                    {"topic": topics[topic_id].slug, "channel": channel, "source": source},
                    now,
                )
                for _, profile_id, topic_id, channel, state, source in new
            ]
        )
        optin.ask([pk for pk, _, _, _, state, _ in new if state == State.PENDING])
    return len(new)


def _row(one: Said, topic: Topic) -> dict[str, object]:
    """Return what is noted: of a topic that wants a confirmation that somebody has asked, as long as there is none."""
    row = asdict(one)
    if row.pop("confirmed") or one.state != State.SUBSCRIBED or topic.joining != Topic.Joining.CONFIRMED:
        return row
    return {**row, "state": State.PENDING}


def subscribe(people: Collection[int], topic: Topic, source: str, channel: str = ALL, basis: str = "") -> int:
    """Subscribe ``people`` to ``topic``; return for how many that is new."""
    return note(Said(pk, topic.pk, State.SUBSCRIBED, source, channel, basis) for pk in people)


def unsubscribe(people: Collection[int], topic: Topic, source: str, channel: str = ALL) -> int:
    """Have ``people`` leave ``topic``; return for how many that is new."""
    return note(Said(pk, topic.pk, State.UNSUBSCRIBED, source, channel) for pk in people)


def refuses(profile: str, channel: str) -> str:
    """Return SQL that says of a topic ``t`` whether messages to ``profile`` over ``channel`` are not wanted.

    Both are SQL. Nothing said counts as the topic has it.
    """
    return f"""
        coalesce((SELECT s.state FROM messaging_subscription s
                  WHERE s.profile_id = {profile} AND s.topic_id = t.id AND s.channel IN ('all', {channel})
                  ORDER BY s.id DESC LIMIT 1),
                 CASE t.joining WHEN 'opt_out' THEN 'subscribed' ELSE 'unsubscribed' END) <> 'subscribed'"""


STATES = """
SELECT DISTINCT ON (r.profile_id, r.topic_id, r.channel) r.profile_id, r.topic_id, r.channel, t.joining, s.state
FROM jsonb_to_recordset(%s) AS r(profile_id bigint, topic_id bigint, channel text)
JOIN messaging_topic t ON t.id = r.topic_id
LEFT JOIN LATERAL (
    SELECT state FROM messaging_subscription s
    WHERE s.profile_id = r.profile_id AND s.topic_id = r.topic_id AND s.channel IN ('all', r.channel)
    ORDER BY id DESC LIMIT 1) AS s ON true
"""
Pair = tuple[int, int, str]


def states(asked: Collection[Pair]) -> dict[Pair, TopicState]:
    """Return what (profile id, topic id, channel) come to. One statement, none where nothing is asked."""
    if not asked:
        return {}
    rows = [dict(zip(("profile_id", "topic_id", "channel"), one, strict=True)) for one in asked]
    with connection.cursor() as cursor:
        cursor.execute(STATES, [json.dumps(rows)])
        return {(row[0], row[1], row[2]): _state(row[3], row[4]) for row in cursor.fetchall()}


def _state(joining: str, said: str | None) -> TopicState:
    if said == State.UNSUBSCRIBED:
        return TopicState.LEFT
    if said == State.PENDING or (said is None and joining != Topic.Joining.OPT_OUT):
        return TopicState.NOT_JOINED
    return TopicState.OPEN


def newest(profile_id: int, topics: Sequence[Topic]) -> Mapping[int, list[Subscription]]:
    """Return by topic what counts of what somebody has said: of each channel the newest, the newest first.

    What was said of a channel before the newest of all channels counts no more. One statement.
    """
    said = Subscription.objects.filter(profile=profile_id, topic__in=topics).order_by("topic_id", "-id")
    counting: dict[int, list[Subscription]] = {topic.pk: [] for topic in topics}
    for one in said:
        kept = counting[one.topic_id]
        if not any(other.channel in (one.channel, ALL) for other in kept):
            kept.append(one)
    return counting
