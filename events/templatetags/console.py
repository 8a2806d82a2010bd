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

from events.models import Event

register = template.Library()

GIST_PROPERTIES = 4
GIST_LETTERS = 40

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
        '<time class="cb-nowrap cb-ago" datetime="{}" title="{} UTC">{}</time>',
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


@register.filter
def quick(seconds: float) -> str:
    """Show a short time: in milliseconds below a second."""
    return f"{seconds * 1000:,.0f} ms" if seconds < 1 else f"{seconds:,.1f} s"


@register.filter
def compact(data: Any) -> str:
    """Show data as JSON on one line."""
    return json.dumps(data, ensure_ascii=False, default=str)


@register.filter
def is_nested(value: Any) -> bool:
    return isinstance(value, dict | list)


@register.filter
def gist(properties: dict[str, Any]) -> str:
    """Say the first few properties in one line: what is on a closed row."""
    if not properties:
        return "No properties"
    shown = [f"{name}: {_short(value)}" for name, value in list(properties.items())[:GIST_PROPERTIES]]
    return " · ".join(shown) + (" · …" if len(properties) > GIST_PROPERTIES else "")


def _short(value: Any) -> str:
    text = value if isinstance(value, str) else compact(value)
    return text if len(text) <= GIST_LETTERS else text[: GIST_LETTERS - 1] + "…"


@register.filter
def headline(event: Event) -> str:
    """Say what an event is, in words where it has no name of its own."""
    if event.type == Event.Type.IDENTIFY:
        return "Traits reported"
    if event.type == Event.Type.ALIAS:
        return "Joined with another id"
    prefix = {"page": "Viewed page ", "screen": "Viewed screen ", "group": "Joined group "}.get(event.type, "")
    return f"{prefix}{event.name}".strip() or "Without a name"


def badge(tone: str, text: str) -> SafeString:
    """Return a badge for a column of a list; ``tone`` is ok, warn, bad, info or muted."""
    return format_html('<span class="cb-badge cb-badge--{}">{}</span>', tone, text)
