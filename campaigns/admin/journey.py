"""One journey: its visits as a timeline, and the buttons that end a wait, end the journey or set it going again."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import get_object_or_404
from django.urls import reverse
from django.utils import timezone
from django.utils.http import url_has_allowed_host_and_scheme

from campaigns import runner
from campaigns.admin import journeys, mail, page, starts, words
from campaigns.admin.journeys import Row
from campaigns.models import Campaign, Journey, Visit
from campaigns.reasons import Outcome


@dataclass(frozen=True, slots=True)
class Stay:
    """One visit in the timeline."""

    visit: Visit
    name: str
    outcome: str
    detail: str
    mail: mail.Mail | None
    here: bool


def show(request: HttpRequest, campaign: Campaign, journey_id: int) -> HttpResponse:
    """Show the page of a journey. A fixed number of statements."""
    journey = _get(campaign, journey_id)
    definition = journeys.definitions({journey.version_id})[journey.version_id]
    row = journeys.row(journey, definition, timezone.now())
    context = {
        **page.head(request, campaign),
        "tabs": page.tabs(campaign, "journeys"),
        "row": row,
        "journey": journey,
        "stays": _stays(journey, definition),
        "event_url": _event_url(journey),
        "cause": starts.because(journey.trigger_name, journey.trigger),
        "back_url": page.url("journeys", campaign),
        "can_act": request.user.has_perm("campaigns.change_journey"),
        "actions": actions(row),
    }
    return page.render(request, "admin/campaigns/journey.html", f"{campaign.name}: {journey.profile}", context)


def actions(row: Row) -> dict[str, str]:
    """Return the addresses of the actions that make sense now, by name."""
    journey = row.journey
    states = {
        # Whoever became a test person later is in the figures already.
        "skip": journey.state == Journey.State.WAITING and journey.is_test,
        "retry": journey.state == Journey.State.STUCK,
        "skip_step": journey.state == Journey.State.STUCK,
        "stop": journey.state != Journey.State.ENDED,
    }
    return {
        name: page.url("journey_act", journey.campaign_id, journey.pk, name) for name, fits in states.items() if fits
    }


def act(request: HttpRequest, campaign: Campaign, journey_id: int, action: str) -> HttpResponse:
    """Do what a button asks and return to the page it stood on."""
    journey = _get(campaign, journey_id)
    if action in ACTIONS:
        ACTIONS[action](request, journey)
        page.log(request, campaign, f"Journey {journey.pk}: {action}.")
    back = request.POST.get("next", "")
    if not url_has_allowed_host_and_scheme(back, allowed_hosts={request.get_host()}):
        back = page.url("journey", campaign, journey.pk)
    return HttpResponseRedirect(back)


def _skip(request: HttpRequest, journey: Journey) -> None:
    try:
        skipped = runner.skip_wait(journey, by=str(request.user))
    except ValueError as error:
        messages.error(request, f"Not skipped: {error}.")
        return
    if skipped:
        messages.success(request, "The wait was skipped.")
    else:
        messages.warning(request, "Not skipped: the campaign is paused, and the journey keeps its place.")


def _stop(request: HttpRequest, journey: Journey) -> None:
    runner.stop(journey)
    messages.success(request, "The journey was stopped. Nothing more is sent from it.")


def _skip_step(request: HttpRequest, journey: Journey) -> None:
    if runner.skip_steps(Journey.objects.filter(pk=journey.pk), str(request.user)):
        messages.success(request, "The step was skipped, and the journey goes on behind it.")
    else:
        messages.warning(request, "Nothing was done: the journey has moved on, or the person is just being changed.")


def _retry(request: HttpRequest, journey: Journey) -> None:
    runner.retry(Journey.objects.filter(pk=journey.pk))
    messages.success(request, "The journey tries again.")


ACTIONS: dict[str, Callable[[HttpRequest, Journey], None]] = {
    "skip": _skip,
    "skip_step": _skip_step,
    "stop": _stop,
    "retry": _retry,
}


def _get(campaign: Campaign, journey_id: int) -> Journey:
    return get_object_or_404(Journey.objects.select_related("profile"), campaign=campaign, pk=journey_id)


def _event_url(journey: Journey) -> str:
    event_id = journey.trigger_event_id
    return reverse("admin:events_event_change", args=[event_id]) if event_id else ""


def _stays(journey: Journey, definition: journeys.Definition) -> list[Stay]:
    visits = journey.visits.select_related("message").order_by("number")
    return [_stay(visit, journey, definition) for visit in visits]


def _stay(visit: Visit, journey: Journey, definition: journeys.Definition) -> Stay:
    step = definition.steps.get(visit.step_id)
    here = visit.number == journey.visit_number and visit.left_at is None and journey.state != Journey.State.ENDED
    return Stay(
        visit=visit,
        name=words.name(step) if step else visit.step_id,
        outcome=Outcome(visit.outcome).label if visit.outcome in set(Outcome) else "",
        detail=visit.detail,
        mail=mail.of(visit.message) if visit.message else None,
        here=here,
    )
