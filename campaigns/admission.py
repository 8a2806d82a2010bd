"""Who is let in of those who qualify: by the stage of a roll-out, and by control groups.

Whoever is outside of a roll-out is turned away, and may come again when it has gone on. Whoever is held out gets a
journey that is over at once, so that rules of entry and goals hold for them as for anybody else.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace

from django.db import connection

from campaigns.engine import groups
from campaigns.reasons import Entry
from campaigns.triggers import Candidate

# Without a row of its own a campaign lets everybody in, but for the workspace's control group.
RULES = """
SELECT c.id, coalesce(a.holdout, 0), CASE WHEN coalesce(a.in_global, true) THEN coalesce(s.holdout, 0) ELSE 0 END,
       coalesce(a.stages[a.stage + 1], 100)
FROM campaigns_campaign c LEFT JOIN campaigns_admission a ON a.campaign_id = c.id
LEFT JOIN campaigns_safeguards s ON true WHERE c.id = ANY(%s)
"""


@dataclass(frozen=True, slots=True)
class Rule:
    """Percentages of all people: the campaign's control group, the workspace's, and whom it is rolled out to."""

    holdout: int
    holdout_of_all: int
    share: int


def apply(candidates: Sequence[Candidate]) -> list[Candidate]:
    """Turn away those outside of a roll-out and mark those who are held out. One statement where anybody is to enter.

    Test people are always let in.
    """
    entering = {c.campaign_id for c in candidates if c.entry is Entry.ENTERED}
    if not entering:
        return list(candidates)
    rules = _rules(entering)
    return [_judged(c, rules[c.campaign_id]) if c.entry is Entry.ENTERED else c for c in candidates]


def _rules(campaign_ids: Collection[int]) -> dict[int, Rule]:
    with connection.cursor() as cursor:
        cursor.execute(RULES, [list(campaign_ids)])
        return {campaign_id: Rule(*percentages) for campaign_id, *percentages in cursor.fetchall()}


def of_person(campaign_id: int, profile_id: int, *, is_test: bool) -> Entry:
    """Return what would come of a person who qualifies, as far as control groups and roll-outs go. One statement."""
    return Entry.ENTERED if is_test else _place(campaign_id, profile_id, _rules([campaign_id])[campaign_id])


def _place(campaign_id: int, profile_id: int, rule: Rule) -> Entry:
    if not groups.is_rolled_out(campaign_id, profile_id, rule.share):
        return Entry.NOT_ROLLED_OUT
    if groups.is_held_out_of_all(profile_id, rule.holdout_of_all):
        return Entry.HELD_OUT_OF_ALL
    return Entry.HELD_OUT if groups.is_held_out(campaign_id, profile_id, rule.holdout) else Entry.ENTERED


def _judged(candidate: Candidate, rule: Rule) -> Candidate:
    if candidate.event.is_test:
        return candidate
    place = _place(candidate.campaign_id, candidate.event.profile_id, rule)
    if place is Entry.NOT_ROLLED_OUT:
        return replace(candidate, entry=place)
    held = None if place is Entry.ENTERED else place
    return replace(candidate, held=held, measured=bool(rule.holdout or rule.holdout_of_all))
