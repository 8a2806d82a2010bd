"""Backtests that people ask for: run one after the other by a worker, with progress, until done or cancelled."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from django.db import connection, transaction
from django.db.models import Q
from django.utils import timezone

from campaigns.backtest.run import Cancelled, Plan, Result, run
from campaigns.halving import said
from campaigns.models import Backtest, Campaign
from events import nudges

logger = logging.getLogger(__name__)
State = Backtest.State
OPEN = (State.WAITING, State.RUNNING)
# Whoever works on one says so each second; a worker that has not for so long is dead, and another begins anew.
LEASE = timedelta(seconds=30)
LOOK_SECONDS = 1.0
MOST_SECONDS = 15 * 60
KEPT = 20


@dataclass(slots=True)
class Progress:
    """How far a run is, told from its thread; ``cancelled`` tells it to stop."""

    percent: int = 0
    cancelled: bool = False
    began: float = field(default_factory=time.monotonic)
    result: Result | None = None
    error: str = ""

    def tell(self, percent: int) -> None:
        if self.cancelled:
            raise Cancelled
        if time.monotonic() - self.began > MOST_SECONDS:
            raise TimeoutError(f"it takes longer than {MOST_SECONDS // 60} minutes: choose fewer days")
        self.percent = percent


@transaction.atomic
def ask(campaign: Campaign, definition: Mapping[str, Any], version: int | None, days: int, by: str) -> Backtest:
    """Have a definition tested over the events of the last days; forget the oldest results of the campaign."""
    now = timezone.now()
    asked = Backtest.objects.create(
        campaign=campaign,
        definition=definition,
        version=version,
        since=now - timedelta(days=days),
        until=now,
        asked_by=by,
    )
    old = Backtest.objects.filter(campaign=campaign).order_by("-pk").values_list("pk", flat=True)[KEPT : 2 * KEPT]
    Backtest.objects.filter(pk__in=list(old)).delete()
    nudges.nudge("backtests")
    return asked


def cancel(asked: Backtest) -> bool:
    """Stop it, if it is not over; whoever works on it finds out within a second. Returns whether it was open."""
    still_open = Backtest.objects.filter(pk=asked.pk, state__in=OPEN)
    return bool(still_open.update(state=State.CANCELLED, ended_at=timezone.now()))


def run_due() -> int:
    """Run those that wait, one after the other; return how many."""
    done = 0
    while asked := _claim():
        _work(asked)
        done += 1
    return done


@transaction.atomic
def _claim() -> Backtest | None:
    now = timezone.now()
    dead = Q(state=State.RUNNING, lease_until__lt=now)
    waiting = Backtest.objects.select_for_update(skip_locked=True, of=("self",)).select_related("campaign")
    asked = waiting.filter(Q(state=State.WAITING) | dead).order_by("pk").first()
    if asked is not None:
        asked.state, asked.lease_until, asked.percent = State.RUNNING, now + LEASE, 0
        asked.save(update_fields=["state", "lease_until", "percent"])
    return asked


def _work(asked: Backtest) -> None:
    """Run one by a connection of its own, which may only read, and say how far it is by this one."""
    progress = Progress()
    plan = Plan(asked.campaign_id, asked.campaign.slug, asked.definition, asked.since, asked.until)
    thread = threading.Thread(target=_run_apart, args=(plan, progress), daemon=True)
    thread.start()
    mine = Backtest.objects.filter(pk=asked.pk, state=State.RUNNING)
    while thread.is_alive():
        thread.join(LOOK_SECONDS)
        if not mine.update(percent=progress.percent, lease_until=timezone.now() + LEASE):
            progress.cancelled = True
    settle(asked, progress)


def settle(asked: Backtest, progress: Progress) -> None:
    """Write what came of it, unless it was cancelled."""
    result = progress.result
    Backtest.objects.filter(pk=asked.pk, state=State.RUNNING).update(
        state=State.DONE if result else State.FAILED,
        result=result.stored if result else None,
        error=progress.error,
        percent=100 if result else progress.percent,
        ended_at=timezone.now(),
    )


def _run_apart(plan: Plan, progress: Progress) -> None:
    try:
        run_into(plan, progress)
    finally:
        connection.close()


def run_into(plan: Plan, progress: Progress) -> None:
    """Run, and leave in ``progress`` what came of it, or why nothing did."""
    try:
        progress.result = run(plan, progress.tell)
    except Cancelled:
        logger.info("a backtest of campaign %s was cancelled", plan.campaign_id)
    except Exception as error:
        logger.exception("a backtest of campaign %s failed", plan.campaign_id)
        progress.error = said(error)
