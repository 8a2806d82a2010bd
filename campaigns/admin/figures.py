"""The metrics page: figures per step, per campaign and over time. Reads rolled-up figures only, never the journeys."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta

from django.http import HttpRequest, HttpResponse
from django.utils import timezone

from campaigns import metrics
from campaigns.admin import compare, page, sorts, words
from campaigns.models import Campaign, CampaignVersion, Metric

DAYS = (7, 30, 90)
# The columns of a mail: metric, and of what its rate is a share.
MAIL_COLUMNS = (
    (Metric.SENT, None),
    (Metric.DELIVERED, Metric.SENT),
    (Metric.OPENED, Metric.DELIVERED),
    (Metric.CLICKED, Metric.DELIVERED),
    (Metric.MACHINE_OPENED, Metric.DELIVERED),
    (Metric.MACHINE_CLICKED, Metric.DELIVERED),
    (Metric.BOUNCED, Metric.SENT),
    (Metric.COMPLAINED, Metric.DELIVERED),
    (Metric.UNSUBSCRIBED, Metric.DELIVERED),
    (Metric.SKIPPED, None),
    (Metric.FAILED, None),
)
LINES = (
    (Metric.ENTERED, "--color-base-400"),
    (Metric.SENT, "--cb-chart-1"),
    (Metric.DELIVERED, "--cb-chart-2"),
    (Metric.OPENED, "--cb-chart-3"),
    (Metric.CLICKED, "--cb-chart-4"),
    (Metric.CONVERTED, "--cb-chart-5"),
)


@dataclass(frozen=True, slots=True)
class Figure:
    """A count and its share in percent, "" where it has none."""

    count: int
    rate: str = ""


@dataclass(frozen=True, slots=True)
class StepRow:
    """``mail`` are the columns of a mail, empty for other steps."""

    name: str
    label: str
    icon: str
    reached: int
    mail: Sequence[Figure]


@dataclass(frozen=True, slots=True)
class Day:
    day: date
    counts: Sequence[int]


def show(request: HttpRequest, campaign: Campaign) -> HttpResponse:
    versions = list(CampaignVersion.objects.filter(campaign=campaign).order_by("-number")[:50])
    chosen = next((version for version in versions if str(version.number) == request.GET.get("version")), None)
    days = next((number for number in DAYS if str(number) == request.GET.get("days")), 30)
    totals = metrics.totals(campaign, chosen)
    since = timezone.now().date() - timedelta(days=days - 1)
    table = by_day(metrics.by_day(campaign, since, chosen), since, days)
    context = {
        "versions": versions,
        "chosen": chosen,
        "days": days,
        "day_choices": DAYS,
        "overall": overall(totals.get("", {})),
        "steps": step_rows([chosen] if chosen else versions, totals),
        "columns": [metric.label for metric, _ in MAIL_COLUMNS],
        "lines": [metric.label for metric, _ in LINES],
        "table": table,
        "chart": chart(table),
        "chart_options": CHART_OPTIONS,
        "empty": not totals,
        "check_url": page.url("check", campaign),
        "here": page.url("metrics", campaign),
    }
    return page.render_tab(request, campaign, "metrics", context)


def overall(counts: Mapping[str, int]) -> list[tuple[str, Figure]]:
    """Return the campaign's own figures."""
    entered = counts.get(Metric.ENTERED, 0)
    converted = counts.get(Metric.CONVERTED, 0)
    return [
        ("Entered", Figure(entered)),
        ("Converted", Figure(converted)),
        ("Conversion rate", Figure(converted, rate(converted, entered) or "–")),
        ("Ended", Figure(counts.get(Metric.ENDED, 0))),
        ("Left early", Figure(counts.get(Metric.LEFT, 0))),
    ]


def step_rows(versions: Iterable[CampaignVersion], totals: Mapping[str, Mapping[str, int]]) -> list[StepRow]:
    """Return a row for each step, in the order of the newest version; steps it no longer has come last."""
    rows: dict[str, StepRow] = {}
    for version in versions:
        for step in compare.steps(version.definition):
            step_id = str(step["id"])
            if step_id not in rows:
                rows[step_id] = _step_row(step, totals.get(step_id, {}))
    return list(rows.values())


def _step_row(step: Mapping[str, object], counts: Mapping[str, int]) -> StepRow:
    kind = str(step.get("kind"))
    mail = shares(counts, MAIL_COLUMNS)
    return StepRow(
        name=words.name(step),
        label=sorts.of(step).label,
        icon=sorts.of(step).icon,
        reached=counts.get(Metric.VISITED, 0),
        mail=mail if kind == "send" else [],
    )


def shares(counts: Mapping[str, int], columns: Iterable[tuple[Metric, Metric | None]]) -> list[Figure]:
    """Return a figure for each metric, with its share of the other one where there is any."""
    return [
        Figure(counts.get(metric, 0), rate(counts.get(metric, 0), counts.get(base, 0)) if base else "")
        for metric, base in columns
    ]


def rate(part: int, whole: int) -> str:
    """Return a share in percent, "" when there is no whole."""
    return f"{100 * part / whole:.1f} %" if whole else ""


def by_day(counts: Iterable[tuple[date, str, str, int]], since: date, days: int) -> list[Day]:
    """Return every day of the span with the figures of ``LINES``, also days on which nothing happened."""
    found: dict[tuple[date, str], int] = defaultdict(int)
    for day, _, metric, number in counts:
        found[day, metric] += number
    span = [since + timedelta(days=number) for number in range(days)]
    return [Day(day, [found[day, metric] for metric, _ in LINES]) for day in span]


def chart(table: Sequence[Day]) -> str:
    """Return the data of Unfold's line chart."""
    return json.dumps(
        {
            "labels": [f"{day.day:%d %b}" for day in table],
            "datasets": [
                {
                    "label": metric.label,
                    "data": [day.counts[index] for day in table],
                    "borderColor": f"var({color})",
                    "backgroundColor": f"var({color})",
                }
                for index, (metric, color) in enumerate(LINES)
            ],
        }
    )


CHART_OPTIONS = json.dumps(
    {
        "animation": False,
        "maintainAspectRatio": False,
        "elements": {"point": {"radius": 0, "hitRadius": 12}, "line": {"borderWidth": 2, "tension": 0.2}},
        "interaction": {"intersect": False, "mode": "index"},
        "plugins": {"legend": {"display": True, "position": "bottom", "labels": {"boxWidth": 12, "boxHeight": 2}}},
        "scales": {
            "x": {"grid": {"display": False}, "ticks": {"maxTicksLimit": 8, "maxRotation": 0}},
            "y": {"beginAtZero": True, "ticks": {"precision": 0, "maxTicksLimit": 6}, "grid": {}},
        },
    }
)
