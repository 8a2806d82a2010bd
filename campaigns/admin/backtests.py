"""The tab that asks what a campaign would have done over the past days, the draft beside the live version."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import get_object_or_404
from django.urls import reverse
from django.utils.dateparse import parse_datetime

from campaigns import publishing
from campaigns.admin import compare, figures, page, publication
from campaigns.backtest import keeping
from campaigns.backtest.run import UNDER_WAY
from campaigns.models import Backtest, Campaign
from campaigns.reasons import Ending, Entry, Outcome
from events.audit import Actor
from events.models import Event, Profile
from messaging import preview
from messaging.admin.frames import document
from messaging.errors import TemplateError
from messaging.models import Template
from messaging.reasons import Reason

DAYS = (7, 14, 30, 90)
SHOWN = 6
DRAFT, LIVE, BOTH = "draft", "live", "both"
TONES = {
    Backtest.State.WAITING: "muted",
    Backtest.State.RUNNING: "info",
    Backtest.State.DONE: "ok",
    Backtest.State.FAILED: "bad",
}


@dataclass(frozen=True, slots=True)
class Row:
    """A line of the comparison; ``values`` are one for each result. ``inner``: it is a part of the line above."""

    label: str
    values: Sequence[str]
    inner: bool = False


@dataclass(frozen=True, slots=True)
class Line:
    at: datetime | None
    text: str
    mail_url: str = ""


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody who would have entered; ``profile`` None: they are gone meanwhile."""

    profile: Profile | None
    url: str
    lines: Sequence[Line]
    ending: str


def show(request: HttpRequest, campaign: Campaign) -> HttpResponse:
    """Show what was asked and what came of it (GET), only the list for the poll; ask (POST)."""
    if request.method == "POST":
        return _ask(request, campaign)
    asked = list(Backtest.objects.filter(campaign=campaign).order_by("-pk")[:SHOWN])
    context = {
        "asked": [(each, title(each), TONES.get(Backtest.State(each.state), "muted")) for each in asked],
        "is_open": any(each.state in keeping.OPEN for each in asked),
        "here": page.url("backtest", campaign),
    }
    if request.headers.get("HX-Request"):
        return page.render(request, "admin/campaigns/backtest_list.html", "", context)
    results = _compared(asked)
    context |= {
        "days": DAYS,
        "has_live": campaign.live_version is not None,
        "titles": [title(each) for each in results],
        "rows": list(_rows(results)),
        "charts": [(title(each), _chart(each.result["days"])) for each in results if each.result],
        "chart_options": figures.CHART_OPTIONS,
        "people": [(title(each), _people(campaign, each)) for each in results],
        "notes": sorted({note for each in results if each.result for note in each.result["notes"]}),
    }
    return page.render_tab(request, campaign, "backtest", context)


def title(asked: Backtest) -> str:
    what = f"Version {asked.version}" if asked.version else "Draft"
    return f"{what}, {asked.since:%-d %b} to {asked.until:%-d %b, %H:%M} UTC"


def _ask(request: HttpRequest, campaign: Campaign) -> HttpResponse:
    days = next((each for each in DAYS if str(each) == request.POST.get("days")), 30)
    what, live, by = request.POST.get("what", DRAFT), campaign.live_version, Actor.of_user(request.user).name
    if what in (DRAFT, BOTH) and (problems := publishing.problems(campaign)):
        context = {"obstacles": publication.obstacles(campaign, problems), "days": DAYS, "has_live": live is not None}
        return page.render_tab(request, campaign, "backtest", context, 400)
    if what in (LIVE, BOTH) and live:
        keeping.ask(campaign, live.definition, live.number, days, by)
    if what in (DRAFT, BOTH):
        keeping.ask(campaign, campaign.draft, None, days, by)
    return HttpResponseRedirect(page.url("backtest", campaign))


def cancel(request: HttpRequest, campaign: Campaign, backtest_id: int) -> HttpResponse:
    """Stop one that is under way."""
    keeping.cancel(get_object_or_404(Backtest, pk=backtest_id, campaign=campaign))
    return HttpResponseRedirect(page.url("backtest", campaign))


def mail(request: HttpRequest, campaign: Campaign, backtest_id: int, sample: int, number: int) -> HttpResponse:
    """Show a mail of a sample as it would be written now, in a sandboxed frame."""
    asked = get_object_or_404(Backtest, pk=backtest_id, campaign=campaign)
    try:
        chosen = (asked.result or {})["samples"][sample]
        template = Template.objects.select_related("layout").get(pk=chosen["mails"][number][1])
        profile = Profile.objects.get(pk=chosen["profile_id"])
    except (KeyError, IndexError, Template.DoesNotExist, Profile.DoesNotExist):
        raise Http404("The person or the template is gone.") from None
    event = Event.objects.filter(pk=chosen["event_id"], timestamp=chosen["event_timestamp"]).first()
    context: dict[str, Any] = {"error": "", "subject": "", "frame": ""}
    try:
        found = preview.preview(template, profile, event)
        context |= {"subject": found.subject, "frame": document(found.html)}
    except TemplateError as error:
        context["error"] = str(error)
    return page.render(request, "admin/campaigns/backtest_mail.html", "", context)


def _compared(asked: Sequence[Backtest]) -> list[Backtest]:
    """Return the newest result, and beside it the newest of the other kind over about the same time."""
    done = [each for each in asked if each.state == Backtest.State.DONE]
    if not done:
        return []
    first = done[0]
    days = (first.until - first.since).days
    other = next((e for e in done[1:] if e.version != first.version and (e.until - e.since).days == days), None)
    return sorted([first, other], key=lambda each: each.version or 10**9) if other else [first]


def _rows(results: Sequence[Backtest]) -> Iterable[Row]:
    """Yield the lines of the comparison."""
    found = [each.result for each in results if each.result]
    if not found:
        return

    def row(label: str, values: Iterable[int], inner: bool = False) -> Row:
        return Row(label, [f"{value:,}" for value in values], inner)

    def counts(part: str, labels: Mapping[Any, str]) -> Iterable[Row]:
        for key, label in labels.items():
            if any(key in each[part] for each in found):
                yield row(label, [each[part].get(key, 0) for each in found], True)

    yield row("Events that may start it", [each["events"] for each in found])
    yield row("Journeys that begin", [each["entries"].get(Entry.ENTERED, 0) for each in found])
    yield row("Different people", [each["people"] for each in found], True)
    refusals = {entry: f"Not begun: {entry.label}" for entry in Entry if entry is not Entry.ENTERED}
    yield from counts("entries", refusals)
    names = {key: name for each in results for key, name in compare.step_names(each.definition).items()}
    yield from counts("reached", {key: f"Reach “{name}”" for key, name in names.items()})
    yield row("Mails that go out", [sum(each["mails"].values()) for each in found])
    yield row("Of them held by caps first", [each["held"] for each in found], True)
    yield from counts("refused", {reason: f"Not sent: {reason.label}" for reason in Reason})
    yield row("Reach the goal", [each["converted"] for each in found])
    yield from counts("endings", {str(ending): _ending(str(ending)) for ending in [*Ending, UNDER_WAY]})


def _ending(name: str) -> str:
    return "Still under way at the end" if name == UNDER_WAY else Ending(name).label


def _chart(days: Sequence[Sequence[Any]]) -> str:
    lines = (("Journeys", 1, "--cb-chart-1"), ("Mails", 2, "--cb-chart-2"))
    return json.dumps(
        {
            "labels": [f"{date.fromisoformat(day[0]):%-d %b}" for day in days],
            "datasets": [
                {"label": name, "data": [day[place] for day in days], "borderColor": f"var({color})"}
                for name, place, color in lines
            ],
        }
    )


def _people(campaign: Campaign, asked: Backtest) -> list[Person]:
    samples = (asked.result or {}).get("samples", [])
    known = Profile.objects.in_bulk([sample["profile_id"] for sample in samples])
    names = compare.step_names(asked.definition)
    return [_person(campaign, asked, place, sample, known, names) for place, sample in enumerate(samples)]


def _person(
    campaign: Campaign,
    asked: Backtest,
    place: int,
    sample: Mapping[str, Any],
    known: Mapping[int, Profile],
    names: Mapping[str, str],
) -> Person:
    lines = [Line(parse_datetime(sample["entered_at"]), "Enters")]
    for step, at, outcome, detail in sample["stays"]:
        said = Outcome(outcome).label if outcome else "Is still there at the end"
        lines.append(Line(parse_datetime(at), f"{names.get(step, step)}: {said}" + (f". {detail}" if detail else "")))
    for number, (step, _, at, reason) in enumerate(sample["mails"]):
        text = f"{names.get(step, step)}: " + (Reason(reason).label if reason else "its mail goes out")
        url = "" if reason else page.url("backtest_mail", campaign, asked.pk, place, number)
        lines.append(Line(parse_datetime(at), text, url))
    profile = known.get(sample["profile_id"])
    return Person(
        profile,
        reverse("admin:events_profile_change", args=[profile.pk]) if profile else "",
        sorted(lines, key=lambda line: line.at.timestamp() if line.at else 0),
        _ending(sample["ending"]),
    )
