"""Filters of the console's pages: times as people say them, data as people can read it.

``{{ when|moment }}``   "3 min ago", with the exact time as tooltip and for screen readers
``{{ data|pretty }}``   indented JSON
``{{ count|amount }}``  1,234,567
"""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any

from django import template
from django.utils import timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString

register = template.Library()

# Up to this many seconds, the unit and its length.
SPANS = ((90, "s", 1), (90 * 60, "min", 60), (36 * 3600, "h", 3600), (60 * 86400, "days", 86400))


def relative(when: datetime, now: datetime) -> str:
    """Say how far ``when`` is from ``now``; farther than two months away, the date itself."""
    seconds = round((now - when).total_seconds())
    if abs(seconds) < 2:
        return "just now"
    for limit, unit, length in SPANS:
        if abs(seconds) < limit:
            amount = f"{round(abs(seconds) / length)} {unit}"
            return f"{amount} ago" if seconds > 0 else f"in {amount}"
    return f"{when:%Y-%m-%d}"


@register.filter
def moment(when: datetime | None) -> SafeString | str:
    """Show a moment relative to now, the exact UTC time beside it for whoever points at it."""
    if when is None:
        return "–"
    exact = when.astimezone(UTC)
    return format_html(
        '<time class="cb-nowrap" datetime="{}" title="{} UTC">{}</time>',
        exact.isoformat(),
        f"{exact:%Y-%m-%d %H:%M:%S}",
        relative(exact, timezone.now()),
    )


@register.filter
def exact(when: datetime | None) -> str:
    """Show a moment to the second, in UTC."""
    return f"{when.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC" if when else "–"


@register.filter
def pretty(data: Any) -> str:
    """Show data as indented JSON."""
    return json.dumps(data, indent=2, ensure_ascii=False, default=str)


@register.filter
def amount(count: int | None) -> str:
    """Show a whole number with separators."""
    return "–" if count is None else f"{count:,}"


@register.filter
def duration(span: timedelta | float | None) -> str:
    """Show a span of time in its two largest units: 2 h 5 min."""
    if span is None:
        return "–"
    seconds = int(span.total_seconds() if isinstance(span, timedelta) else span)
    parts = []
    for unit, length in (("d", 86400), ("h", 3600), ("min", 60), ("s", 1)):
        number, seconds = divmod(seconds, length)
        if number:
            parts.append(f"{number} {unit}")
    return " ".join(parts[:2]) or "0 s"
