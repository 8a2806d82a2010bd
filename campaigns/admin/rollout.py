"""The roll-out tab: to whom the campaign is rolled out, who is held out, and what that shows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from django import forms
from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.utils import timezone

from campaigns import guards, metrics, rollouts
from campaigns.admin import links, page
from campaigns.admin.card_forms import NumberText
from campaigns.engine import guarding, lift
from campaigns.engine.lift import Group
from campaigns.models import MOST_HELD_OUT, Admission, Campaign, Metric, Safeguards

MOST_HOURS = 24 * 90


class AdmissionForm(forms.Form):
    """Whom the campaign lets in."""

    use_required_attribute = False
    holdout = forms.IntegerField(
        label="Control group, in per cent",
        min_value=0,
        max_value=MOST_HELD_OUT,
        widget=NumberText,
        help_text="So many of all people who qualify get nothing, and are measured all the same. 0: nobody. Who is in "
        "the group stays in it.",
    )
    in_global = forms.BooleanField(
        label="Leave out the control group of all campaigns, too",
        required=False,
        help_text="Take the tick away for what everybody has to get, such as receipts and passwords.",
    )
    stages = forms.CharField(
        label="Stages, in per cent of all people",
        required=False,
        max_length=100,
        widget=forms.TextInput({"placeholder": "1, 10, 50, 100", "autocomplete": "off"}),
        help_text="Empty: no roll-out, everybody is let in at once. Who is let in at one stage is at all later ones.",
    )
    hours = forms.IntegerField(
        label="Hours after which the next stage begins by itself",
        required=False,
        min_value=1,
        max_value=MOST_HOURS,
        widget=NumberText,
        help_text="Empty: only when you press the button. A campaign that is paused waits.",
    )

    def clean_stages(self) -> list[int]:
        words = self.cleaned_data["stages"].replace("%", " ").replace(",", " ").split()
        if not all(word.isascii() and word.isdigit() and len(word) <= 3 for word in words):
            raise forms.ValidationError("Write whole per cents with commas between them, such as 1, 10, 50, 100.")
        stages = [int(word) for word in words]
        if any(not 1 <= stage <= 100 for stage in stages) or stages != sorted(set(stages)):
            raise forms.ValidationError("Each stage has to be larger than the one before it, from 1 to 100.")
        return stages


@dataclass(frozen=True, slots=True)
class Stage:
    """One stage of a roll-out; ``state`` is "done", "now" or "later"."""

    share: int
    state: str


def show(request: HttpRequest, campaign: Campaign) -> HttpResponse:
    """Show the tab (GET); store what was typed (POST)."""
    admission = Admission.objects.filter(campaign=campaign).first() or Admission(campaign=campaign)
    form = AdmissionForm(request.POST if request.method == "POST" else None, initial=_initial(admission))
    if request.method == "POST" and form.is_valid():
        rollouts.set_up(campaign, rollouts.Wanted(**form.cleaned_data))
        page.log(request, campaign, f"Changed who is let in: {_said(form.cleaned_data)}.")
        messages.success(request, "Saved. It holds for everybody who qualifies from now on.")
        return HttpResponseRedirect(page.url("rollout", campaign))
    totals = metrics.totals(campaign).get("", {})
    safeguards = Safeguards.objects.first()
    held, readings = guards.limits(), guards.read(timezone.now(), campaign.pk)
    context = {
        "form": form,
        "admission": admission,
        "stages": _stages(admission),
        "has_next": admission.stage + 1 < len(admission.stages),
        "next_url": page.url("rollout_next", campaign),
        "held_out": _group(totals, Metric.HELD_OUT, Metric.HELD_OUT_GOAL),
        "comparison": comparison(campaign, totals),
        "holdout_of_all": safeguards.holdout if safeguards and admission.in_global else 0,
        "rates": [_watched(rate) for rate in _rates(readings, held)],
        "sample": held.sample,
        "safeguards_url": links.to("campaigns_safeguards_changelist"),
        "usual": ", ".join(map(str, rollouts.USUAL_STAGES)),
    }
    return page.render_tab(request, campaign, "rollout", context, 400 if form.errors else 200)


def next_stage(request: HttpRequest, campaign: Campaign) -> HttpResponse:
    """Begin the next stage, unless somebody has just done so."""
    reached = request.POST.get("stage", "")
    if reached.isascii() and reached.isdigit() and rollouts.next_stage(campaign, int(reached)):
        share = Admission.objects.get(campaign=campaign).share
        page.log(request, campaign, f"Rolled out to {share} % of all people.")
        messages.success(request, f"Rolled out to {share} % of all people from now on.")
    else:
        messages.warning(request, "Nothing was changed: this stage was over already.")
    return HttpResponseRedirect(page.url("rollout", campaign))


def comparison(campaign: Campaign, totals: Mapping[str, int]) -> list[str]:
    """Say in sentences how the control group and the others did; nothing where nobody was held out."""
    held = _group(totals, Metric.HELD_OUT, Metric.HELD_OUT_GOAL)
    others = _group(totals, Metric.TREATED, Metric.TREATED_GOAL)
    if not held.people:
        return []
    version = campaign.live_version
    if not (version and version.definition.get("goal")):
        return [f"Control group: {_people(held)}. The campaign has no goal, so there is nothing to compare them by."]
    first = (
        f"Control group: {_people(held)}, {held.rate:.1%} reached the goal; the others ({_people(others)}): "
        f"{others.rate:.1%}."
    )
    return [first.replace("%", " %"), _verdict(held, others)]


def _verdict(held: Group, others: Group) -> str:
    found = lift.compare(held, others)
    if found is None:
        return f"Too few to say whether that is more than chance: it takes {lift.ENOUGH} people at least in each group."
    span = f"with 95 % certainty between {100 * found.low:+.1f} and {100 * found.high:+.1f} points"
    if not found.is_sure:
        return f"The difference may be chance: it lies {span}."
    return f"The campaign changes it by {100 * found.difference:+.1f} points, {span}."


def _people(group: Group) -> str:
    return f"{group.people:,} {'person' if group.people == 1 else 'people'}"


def _group(totals: Mapping[str, int], people: Metric, reached: Metric) -> Group:
    return Group(totals.get(people, 0), totals.get(reached, 0))


@dataclass(frozen=True, slots=True)
class Watched:
    """A rate of the last day, the limit it is held to, and how that looks."""

    says: str
    share: str
    limit: str
    tone: str


def _rates(readings: Sequence[guards.Reading], held: guarding.Limits) -> list[guarding.Rate]:
    sample = readings[0].samples["day"] if readings else guarding.Sample()
    return guarding.rates(sample, held)


def _watched(rate: guarding.Rate) -> Watched:
    is_near = rate.limit is not None and rate.reports > 0 and rate.percent > rate.limit / 2
    return Watched(
        rate.verb.removeprefix("were ").capitalize(),
        f"{rate.percent:.2f} % ({rate.reports:,} of {rate.messages:,})" if rate.messages else "–",
        "not watched" if rate.limit is None else f"{rate.limit:g} %",
        "warn" if is_near else "muted",
    )


def _initial(admission: Admission) -> dict[str, Any]:
    return {
        "holdout": admission.holdout,
        "in_global": admission.in_global,
        "stages": ", ".join(map(str, admission.stages)),
        "hours": admission.hours,
    }


def _stages(admission: Admission) -> list[Stage]:
    def state(place: int) -> str:
        return "now" if place == admission.stage else "done" if place < admission.stage else "later"

    return [Stage(share, state(place)) for place, share in enumerate(admission.stages)]


def _said(values: Mapping[str, Any]) -> str:
    stages = f"stages {values['stages']}, after {values['hours']} hours" if values["stages"] else "no roll-out"
    left_out = "with" if values["in_global"] else "without"
    return f"control group {values['holdout']} %, {left_out} the one of all campaigns, {stages}"
