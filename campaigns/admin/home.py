"""The home page: the system's pulse on one screen. Every figure is rolled up or capped; nothing counts a big table."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils import timezone

from campaigns import latency, metrics, strain
from campaigns.admin import findings, links, newcomer
from campaigns.models import Campaign, Journey, Metric, Parked
from events import counts
from events.models import Event, Pending
from messaging import names
from messaging.models import Message
from messaging.states import Status

HOURS = 24
# Up to here waiting journeys are counted one by one; beyond, the page says "more than".
COUNTED_JOURNEYS = 10_000
COUNTED_TROUBLES = 99
COUNTED_DRAFTS = 999
CAMPAIGNS_SHOWN = 8
EVENTS_SHOWN = 10
# Of all channels together.
MAIL_FIGURES = tuple((deed.capitalize(), names.events(deed)) for deed in ("sent", "delivered", "opened", "bounced"))


@dataclass(frozen=True, slots=True)
class Capped:
    """A count that stopped at ``limit``."""

    number: int
    limit: int

    def __bool__(self) -> bool:
        return self.number > 0

    def __str__(self) -> str:
        return f"{self.limit:,}+" if self.number > self.limit else f"{self.number:,}"


@dataclass(frozen=True, slots=True)
class LiveCampaign:
    """A campaign with today's figures."""

    campaign: Campaign
    url: str
    entered: int
    sent: int
    converted: int


@dataclass(frozen=True, slots=True)
class Stuck:
    """How many journeys of a campaign are stuck."""

    campaign: Campaign
    url: str
    count: Capped


def dashboard(request: HttpRequest, context: dict[str, Any]) -> dict[str, Any]:
    """Return the context of ``admin/index.html``."""
    now = timezone.now()
    campaigns = list(Campaign.objects.exclude(status=Campaign.Status.DRAFT).order_by("name"))
    pulse = {
        "title": "Home",
        "subtitle": None,
        "now": now,
        **_traffic(now),
        "latencies": [
            ("Events answered", latency.evaluation(now).p95),
            ("Due mails handed over", latency.sending(now).p95),
        ],
        "under_way": capped(Journey.objects.filter(state=Journey.State.WAITING), COUNTED_JOURNEYS),
        "parked": capped(Pending.objects.exclude(parked_at=None), COUNTED_TROUBLES),
        "parked_by_campaigns": capped(Parked.objects.all(), COUNTED_TROUBLES),
        "resting": Campaign.objects.filter(pk__in=strain.resting().values("version__campaign")).order_by("name"),
        "stuck": _stuck(campaigns),
        "findings": findings.shown(),
        "live": _live(campaigns, now) if request.user.has_perm("campaigns.view_campaign") else [],
        "drafts": _drafts() if request.user.has_perm("messaging.change_message") else None,
        "shop_url": links.shop(),
        "messages_url": links.to("messaging_message_changelist"),
        "latest": _latest() if request.user.has_perm("events.view_event") else [],
        "checklist": newcomer.checklist(),
    }
    return {**context, **pulse}


def capped(queryset: QuerySet[Any], limit: int) -> Capped:
    """Count no further than one beyond ``limit``."""
    return Capped(queryset.order_by().values("pk")[: limit + 1].count(), limit)


def _traffic(now: datetime) -> dict[str, Any]:
    """Return events and mails of the last hours, by the hour. Two statements on rolled-up rows."""
    this_hour = now.replace(minute=0, second=0, microsecond=0)
    hours = [this_hour - timedelta(hours=back) for back in range(HOURS - 1, -1, -1)]
    received: Counter[datetime] = Counter()
    mails: Counter[str] = Counter()
    for hour, name, count in counts.per_hour(None, hours[0]):
        if name in metrics.MESSAGE_METRICS:
            mails[name] += count
        else:
            received[hour] += count
    return {
        "events_hour": received[this_hour],
        "events_day": sum(received.values()),
        "mails": [(label, sum(mails[name] for name in every)) for label, every in MAIL_FIGURES],
        "chart": json.dumps(_chart([(f"{hour:%H}:00", received[hour]) for hour in hours])),
    }


def _chart(bars: list[tuple[str, int]]) -> dict[str, Any]:
    return {
        "labels": [label for label, _ in bars],
        "datasets": [
            {
                "label": "Events",
                "data": [number for _, number in bars],
                "backgroundColor": "var(--color-primary-500)",
                "maxBarThickness": 18,
                "borderRadius": 3,
                "displayYAxis": True,
                "maxTicksXLimit": 8,
            }
        ],
    }


def _stuck(campaigns: list[Campaign]) -> list[Stuck]:
    """Count stuck journeys, campaign by campaign along the index that leads with it. One statement."""
    by_key = {campaign.pk: campaign for campaign in campaigns}
    stuck = Journey.objects.filter(campaign__in=by_key, state=Journey.State.STUCK).order_by()
    found = Counter(stuck.values_list("campaign_id", flat=True)[: COUNTED_TROUBLES + 1])
    return [
        Stuck(by_key[key], f"{links.to('campaigns_campaign_journeys', key)}?state=stuck", Capped(n, COUNTED_TROUBLES))
        for key, n in found.most_common()
    ]


def _live(campaigns: list[Campaign], now: datetime) -> list[LiveCampaign]:
    live = [campaign for campaign in campaigns if campaign.status == Campaign.Status.LIVE]
    figures = metrics.of_campaigns(now.date()) if live else {}
    rows = [_with_figures(campaign, figures.get(campaign.pk, {})) for campaign in live]
    rows.sort(key=lambda row: row.entered, reverse=True)
    return rows[:CAMPAIGNS_SHOWN]


def _with_figures(campaign: Campaign, figures: dict[str, int]) -> LiveCampaign:
    entered, sent, converted = (figures.get(m, 0) for m in (Metric.ENTERED, Metric.SENT, Metric.CONVERTED))
    url = links.to("campaigns_campaign_change", campaign.pk)
    return LiveCampaign(campaign, url, entered, sent, converted)


def _drafts() -> Capped:
    return capped(Message.objects.filter(status=Status.DRAFT), COUNTED_DRAFTS)


def _latest() -> list[Event]:
    return list(Event.objects.select_related("profile", "source").order_by("-pk")[:EVENTS_SHOWN])
