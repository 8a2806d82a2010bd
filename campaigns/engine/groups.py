"""Who belongs to a control group, and to whom a campaign is rolled out. Pure.

Each is drawn by a salt of its own, so that no group says anything about another, and by the person alone: who is in a
group stays in it, whatever is published, and who is in at one per cent is in at ten.
"""

from __future__ import annotations

from campaigns.engine.chance import draw


def is_held_out(campaign_id: int, profile_id: int, percent: int) -> bool:
    """Say whether the person is in the control group, of ``percent`` of all, of one campaign."""
    return 100 * draw("holdout", campaign_id, profile_id) < percent


def is_held_out_of_all(profile_id: int, percent: int) -> bool:
    """Say whether the person is in the control group, of ``percent`` of all, of the whole workspace."""
    return 100 * draw("holdout of all", profile_id) < percent


def is_rolled_out(campaign_id: int, profile_id: int, percent: int) -> bool:
    """Say whether the person is among the ``percent`` of all to whom a campaign is rolled out."""
    return 100 * draw("roll-out", campaign_id, profile_id) < percent
