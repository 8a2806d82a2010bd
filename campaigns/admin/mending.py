"""Set many stuck journeys going again: those that were ticked, or all that fit the filter."""

from __future__ import annotations

from collections.abc import Callable

from django.contrib import messages
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect

from campaigns import runner
from campaigns.admin import journeys, page
from campaigns.models import Campaign, Journey

# One press of a button; whoever has more presses again.
AT_ONCE = 5_000
NAMED = 20


def mend(request: HttpRequest, campaign: Campaign) -> HttpResponse:
    """Do what a button asks, in batches, note it in the campaign's history, and return to the list."""
    action = request.POST.get("action", "")
    back = HttpResponseRedirect(page.url("journeys", campaign) + "?state=stuck")
    if action not in ACTIONS:
        return back
    ids = _chosen(request, campaign)
    done = [pk for first in range(0, len(ids), runner.BATCH) for pk in _batch(request, action, ids, first)]
    if not done:
        messages.warning(request, "Nothing was done: tick journeys first, or choose all. Some may have moved on.")
        return back
    number = f"{len(done):,} stuck journey{'' if len(done) == 1 else 's'}"
    named = ", ".join(map(str, done[:NAMED])) + (" …" if len(done) > NAMED else "")
    page.log(request, campaign, f"{SAID[action]} {number}: {named}.")
    left = len(ids) - len(done)
    more = f" {left:,} were left: they had moved on, or somebody else was about them." if left else ""
    messages.success(request, f"{SAID[action]} {number}.{more}")
    return back


def _chosen(request: HttpRequest, campaign: Campaign) -> list[int]:
    """Return the ids of stuck journeys of this campaign that were meant, in their order."""
    stuck = Journey.objects.filter(campaign=campaign, state=Journey.State.STUCK).order_by("pk")
    if request.POST.get("which") == "all":
        filters = journeys.Filters(
            Journey.State.STUCK, request.POST.get("step", ""), request.POST.get("person", "").strip()
        )
        stuck = journeys.filtered(campaign, filters).order_by("pk")
    else:
        ticked = [int(pk) for pk in request.POST.getlist("journey") if pk.isascii() and pk.isdigit() and len(pk) < 19]
        stuck = stuck.filter(pk__in=ticked)
    return list(stuck.values_list("pk", flat=True)[:AT_ONCE])


def _batch(request: HttpRequest, action: str, ids: list[int], first: int) -> list[int]:
    chosen = Journey.objects.filter(pk__in=ids[first : first + runner.BATCH], state=Journey.State.STUCK)
    return ACTIONS[action](chosen, str(request.user))


def _retry(stuck: QuerySet[Journey], by: str) -> list[int]:
    ids = list(stuck.order_by("pk").values_list("pk", flat=True))
    runner.retry(stuck)
    return ids


def _stop(stuck: QuerySet[Journey], by: str) -> list[int]:
    return runner.stop_many(list(stuck))


ACTIONS: dict[str, Callable[[QuerySet[Journey], str], list[int]]] = {
    "retry": _retry,
    "skip_step": runner.skip_steps,
    "stop": _stop,
}
SAID = {"retry": "Trying again:", "skip_step": "Skipped the step of", "stop": "Stopped"}
