"""Filters that write dates and numbers as their reader does: in the language of the message and the reader's zone.

Both come from the variables ``language`` and ``time_zone``. The words and signs are Unicode's, by Babel.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from babel import Locale, UnknownLocaleError, dates, numbers
from liquid import RenderContext, soft_str
from liquid.exceptions import FilterArgumentError
from liquid.filter import with_context
from liquid.undefined import Undefined

from events.liquid_filters import moment_of, number_of

FORMATS = ("short", "medium", "long", "full")
ENGLISH = Locale("en")


def locale_of(context: RenderContext) -> Locale:
    """Return the locale of the message, English where none is known."""
    said = str(context.globals.get("language") or "").strip().replace("-", "_")
    for name in (said, said.partition("_")[0]):
        try:
            if name:
                return Locale.parse(name)
        except (ValueError, UnknownLocaleError):
            continue
    return ENGLISH


def zone_of(context: RenderContext) -> ZoneInfo:
    """Return the reader's zone, UTC where none is known."""
    try:
        return ZoneInfo(str(context.globals.get("time_zone") or "UTC"))
    except (ZoneInfoNotFoundError, ValueError):
        return ZoneInfo("UTC")


def _format(value: object) -> str:
    form = "medium" if value is None or isinstance(value, Undefined) else str(value)
    if form not in FORMATS:
        raise FilterArgumentError(f"the format has to be one of {', '.join(FORMATS)}", token=None)
    return form


def _when(value: object, write: Callable[[datetime], str]) -> str:
    moment = moment_of(value)
    if moment is None:
        return "" if value is None or isinstance(value, Undefined) else soft_str(value)
    return write(moment)


@with_context
def local_date(value: object, form: object = None, *, context: RenderContext) -> str:
    """Write a day: ``long`` → 2 March 2026 in the reader's language and zone."""
    zone, locale, wanted = zone_of(context), locale_of(context), _format(form)
    return _when(value, lambda moment: dates.format_date(moment.astimezone(zone), wanted, locale=locale))


@with_context
def local_time(value: object, form: object = "short", *, context: RenderContext) -> str:
    """Write a time of day: 3:30 PM, 15:30."""
    zone, locale, wanted = zone_of(context), locale_of(context), _format(form)
    return _when(value, lambda moment: dates.format_time(moment, wanted, tzinfo=zone, locale=locale))


@with_context
def local_datetime(value: object, form: object = None, *, context: RenderContext) -> str:
    """Write a day and a time of day."""
    zone, locale, wanted = zone_of(context), locale_of(context), _format(form)
    return _when(value, lambda moment: dates.format_datetime(moment, wanted, tzinfo=zone, locale=locale))


@with_context
def local_number(value: object, digits: object = None, *, context: RenderContext) -> str:
    """Write a number with the reader's signs: 1.234,5 in German; ``digits`` fixes the places behind the point."""
    number = number_of(value)
    if number is None:
        return soft_str(value)
    if digits is None or isinstance(digits, Undefined):
        return numbers.format_decimal(number, locale=locale_of(context), decimal_quantization=False)
    places = min(max(int(str(digits)), 0), 20)
    pattern = "#,##0" + (f".{'0' * places}" if places else "")
    return numbers.format_decimal(number, pattern, locale=locale_of(context))


@with_context
def local_currency(value: object, code: object = "USD", *, context: RenderContext) -> str:
    """Write an amount as the reader does: 1.234,50 € in German."""
    number = number_of(value)
    if number is None:
        return soft_str(value)
    return numbers.format_currency(number, str(code).upper()[:3], locale=locale_of(context))


@with_context
def local_percent(value: object, *, context: RenderContext) -> str:
    """Write a share: 0.25 → 25 %."""
    number = number_of(value)
    return soft_str(value) if number is None else numbers.format_percent(number, locale=locale_of(context))


LOCAL: dict[str, Callable[..., Any]] = {
    "local_date": local_date,
    "local_time": local_time,
    "local_datetime": local_datetime,
    "local_number": local_number,
    "local_currency": local_currency,
    "local_percent": local_percent,
}
