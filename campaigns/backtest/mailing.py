"""Of the mails that journeys would have made, which would have gone out, and when: consent, quiet hours and caps.

Consent is as it is now: who had unsubscribed when is not known of everybody. Caps count what was really sent as well.
"""

from __future__ import annotations

import heapq
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from django.conf import settings

from campaigns.backtest.walks import Walk
from events.clock import zone_of
from events.models import Profile
from messaging import caps, composing
from messaging.caps import About, Cap, Drop, Hold, Pause, Sent, Waiting
from messaging.models import FrequencyCap, Message, Priority, Purpose, SendingLimits, Template, TemplateVersion
from messaging.reasons import Reason

BATCH = 1_000


@dataclass(frozen=True, slots=True)
class Mailed:
    """A mail of a journey; ``at`` is when it would have gone out, or was given up for ``reason``."""

    walk: Walk
    step: str
    template: int
    at: datetime
    reason: Reason | None = None
    was_held: bool = False


@dataclass(frozen=True, slots=True)
class _Rules:
    templates: Mapping[int, Template]
    limits: SendingLimits
    caps: Sequence[Cap]
    priority: int


def mailed(walks: Iterable[Walk], priority: str, until: datetime) -> list[Mailed]:
    """Return what would have become of every mail, in no order. A few statements for each thousand people."""
    by_person: dict[int, list[Walk]] = defaultdict(list)
    for walk in walks:
        if walk.mails:
            by_person[walk.profile_id].append(walk)
    templates = Template.objects.select_related("provider").in_bulk(
        {template for some in by_person.values() for walk in some for _, template, _ in walk.mails}
    )
    rules = _Rules(templates, SendingLimits.current(), FrequencyCap.binding(), Priority[priority.upper()])
    ids = list(by_person)
    found: list[Mailed] = []
    for start in range(0, len(ids), BATCH):
        people = Profile.objects.in_bulk(ids[start : start + BATCH])
        refused = _refused(people, templates)
        before = _before(people, rules, by_person)
        for pk, person in people.items():
            found += _of_person(person, by_person[pk], refused, before.get(pk, []), rules, until)
    return found


def _refused(people: Mapping[int, Profile], templates: Mapping[int, Template]) -> dict[tuple[int, int], Reason]:
    """Return by person and template why a mail would not be sent, where it would not. As composing decides."""
    versions = [
        TemplateVersion(
            pk=-template.pk,
            template=template,
            purpose=template.purpose,
            topic_id=template.topic_id,
            provider_id=template.provider_id,
            content={"channel": template.channel},
        )
        for template in templates.values()
    ]
    found = composing.refusals_of(people.values(), versions)
    return {(profile_id, -version_id): reason for (profile_id, version_id), reason in found.items()}


def _before(people: Mapping[int, Profile], rules: _Rules, walks: Mapping[int, Sequence[Walk]]) -> dict[int, list[Sent]]:
    """Return what caps count that was really sent to these people. One statement where there are caps."""
    if not rules.caps:
        return {}
    first = min(walk.entered_at for pk in people for walk in walks[pk])
    since = first - max(cap.window for cap in rules.caps)
    rows = Message.objects.filter(
        profile__in=people, purpose=Purpose.MARKETING, sent_at__gte=since, redirected=False
    ).values_list("profile_id", "channel", "template_version__topic_id", "sent_at")
    found: dict[int, list[Sent]] = defaultdict(list)
    for profile_id, channel, topic, at in rows:
        if at is not None:
            found[profile_id].append(Sent(About(channel, topic), at))
    return found


def _of_person(
    person: Profile,
    walks: Sequence[Walk],
    refused: Mapping[tuple[int, int], Reason],
    before: Sequence[Sent],
    rules: _Rules,
    until: datetime,
) -> list[Mailed]:
    """Go through one person's mails in the order of time; what is held comes again."""
    found: list[Mailed] = []
    sent = list(before)
    queue = [
        (at, number, Mailed(walk, step, template, at), at)
        for number, (walk, step, template, at) in enumerate(
            (walk, step, template, at) for walk in walks for step, template, at in walk.mails
        )
    ]
    heapq.heapify(queue)
    while queue:
        now, number, mail, first = heapq.heappop(queue)
        template = rules.templates.get(mail.template)
        if now >= until or template is None:
            continue
        if reason := refused.get((person.pk, mail.template)):
            found.append(replace(mail, at=now, reason=reason))
            continue
        if (later := _quiet_until(person, template, rules, now)) is not None:
            heapq.heappush(queue, (later, number, mail, first))
            continue
        about = About(template.channel, template.topic_id)
        match _verdict(about, template, sent, rules, now, first, number):
            case Drop(late=late):
                found.append(replace(mail, at=now, reason=Reason.CAP_WAITED if late else Reason.CAP_FULL))
            case Hold(until=room) | Pause(until=room):
                held = replace(mail, at=room, was_held=True)
                heapq.heappush(queue, (max(room, now + timedelta(seconds=1)), number, held, first))
            case _:
                if template.purpose == Purpose.MARKETING:
                    sent.append(Sent(about, now))
                found.append(replace(mail, at=now))
    return found


def _quiet_until(person: Profile, template: Template, rules: _Rules, now: datetime) -> datetime | None:
    if rules.limits.quiet is None:
        return None
    zone = zone_of((person.time_zone, settings.FALLBACK_TIME_ZONE))
    urgent = rules.priority == Priority.URGENT or template.purpose == Purpose.TRANSACTIONAL
    return rules.limits.quiet.until(purpose=template.purpose, urgent=urgent, now=now, zone=zone)


def _verdict(
    about: About, template: Template, sent: Sequence[Sent], rules: _Rules, now: datetime, first: datetime, number: int
) -> caps.Verdict:
    if not rules.caps or template.purpose != Purpose.MARKETING:
        return caps.Go()
    waiting = Waiting(
        id=number,
        about=about,
        priority=rules.priority,
        due_at=now,
        urgent=rules.priority == Priority.URGENT,
        held_since=first if first < now else None,
    )
    return caps.arbitrate(rules.caps, sent, [waiting], now)[number]
