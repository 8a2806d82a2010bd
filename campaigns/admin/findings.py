"""What stood still or ran wild: the list of findings, and those that the home page shows."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from django.contrib import admin
from django.utils.html import format_html
from django.utils.safestring import SafeString

from campaigns import alerts
from campaigns.models import Finding
from events.admin_paging import KeysetAdmin, ReadOnly
from events.templatetags.console import moment

Kind = Finding.Kind
# The home page looks for the others itself, at that very moment.
SHOWN_AT_HOME = (Kind.HALTED, Kind.OVERDUE, Kind.SILENT, Kind.HOT)
SHOWN = 20


@dataclass(frozen=True, slots=True)
class Shown:
    """A finding as the home page says it."""

    label: str
    says: str
    advice: str
    url: str
    since: datetime


def shown() -> list[Shown]:
    """Return what is the matter now. One statement."""
    found = Finding.objects.filter(until=None, kind__in=SHOWN_AT_HOME).order_by("pk")[:SHOWN]
    return [
        Shown(Kind(one.kind).label, one.says, alerts.ADVICE[Kind(one.kind)], alerts.address(one), one.since)
        for one in found
    ]


@admin.register(Finding)
class FindingAdmin(ReadOnly, KeysetAdmin):
    list_display = ("what", "says", "started", "ended", "told")
    list_display_links = None
    list_filter = ("kind",)
    empty_title = "All is well"
    empty_help = "Nothing has stood still or run wild so far."

    @admin.display(description="What")
    def what(self, finding: Finding) -> SafeString:
        url = alerts.address(finding)
        return format_html('<a class="cb-link" href="{}">{}</a>', url, Kind(finding.kind).label)

    @admin.display(description="Since")
    def started(self, finding: Finding) -> SafeString | str:
        return moment(finding.since)

    @admin.display(description="Over")
    def ended(self, finding: Finding) -> SafeString | str:
        if finding.until is None:
            return format_html('<span class="cb-badge cb-badge--warn">{}</span>', "still so")
        return moment(finding.until)

    @admin.display(description="Operators were told")
    def told(self, finding: Finding) -> SafeString | str:
        return moment(finding.told_at) if finding.told_at else "–"
