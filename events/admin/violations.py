"""What did not keep to its schema: by event and place, with a sample of each."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.db.models import Count, Max, Q
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.utils import timezone
from unfold.admin import ModelAdmin

from events.admin_paging import ReadOnly
from events.models import EventDefinition, Violation

SPANS = {
    "1h": ("1 hour", timedelta(hours=1)),
    "24h": ("24 hours", timedelta(days=1)),
    "7d": ("7 days", timedelta(days=7)),
}
GROUPS = 100


@admin.register(Violation)
class ViolationAdmin(ReadOnly, ModelAdmin):
    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        if not self.has_view_permission(request):
            raise PermissionDenied
        chosen = request.GET.get("span", "")
        span = chosen if chosen in SPANS else "24h"
        name = request.GET.get("name", "").replace("\0", "")
        context = {
            **self.admin_site.each_context(request),
            "title": "Violations",
            "opts": self.opts,
            "spans": [(key, words) for key, (words, _) in SPANS.items()],
            "span": span,
            "span_words": SPANS[span][0],
            "name": name,
            "groups": groups(SPANS[span][1], name),
        }
        return TemplateResponse(request, "admin/events/plan/violations.html", context)


def groups(span: timedelta, name: str = "") -> list[dict[str, Any]]:
    """Return the violations since then by event, place and complaint, the most frequent first. Three statements.

    With ``name`` those of one event.
    """
    recent = Violation.objects.filter(occurred_at__gte=timezone.now() - span, **({"name": name} if name else {}))
    counted = recent.values("name", "path", "message").annotate(
        count=Count("pk"), blocked=Count("pk", filter=Q(blocked=True)), newest=Max("pk"), last=Max("occurred_at")
    )
    rows = list(counted.order_by("-count", "name", "path")[:GROUPS])
    samples = Violation.objects.select_related("source").in_bulk([row["newest"] for row in rows])
    planned = dict(EventDefinition.objects.filter(name__in={row["name"] for row in rows}).values_list("name", "pk"))
    return [row | {"sample": samples.get(row["newest"]), "definition": planned.get(row["name"])} for row in rows]
