"""The filters of our templates: Liquid's own within bounds, and those that Customer.io's and Shopify's users know."""

from __future__ import annotations

import hashlib
import hmac
import json
import re
import unicodedata
from collections.abc import Callable, Mapping
from datetime import UTC, date, datetime, time
from decimal import Decimal, InvalidOperation
from functools import wraps
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from dateutil import parser
from dateutil.relativedelta import relativedelta
from liquid import Environment, RenderContext, soft_str
from liquid.builtin.filters.array import join
from liquid.builtin.filters.string import replace
from liquid.exceptions import FilterArgumentError, ResourceLimitError
from liquid.filter import string_filter, with_context, with_environment
from liquid.undefined import Undefined

MAX_TEXT = 200_000
MAX_ITEMS = 5_000
# `uniq` compares everything with everything.
MAX_UNIQ_ITEMS = 500
# An item costs about as much as this many characters, and so do the characters of filters that look at each word.
WEIGHT_OF_ITEM = 5
WEIGHT_OF_WORDS = 40
BY_WORD = {"split", "squish", "strip_html", "titlecase", "truncatewords"}
MAX_BITS = 1024
MAX_FORMAT = 200
# So many days, months … can be added to a point in time.
MAX_SHIFT = 5_000
# Unix times above this are milliseconds: as seconds they would lie beyond the year 5000.
MILLISECONDS_FROM = 10**11

CURRENCIES = {"USD": "$", "EUR": "€", "GBP": "£", "JPY": "¥", "INR": "₹", "AUD": "A$", "CAD": "C$", "CHF": "CHF "}
WITHOUT_CENTS = {"JPY", "KRW"}

Filter = Callable[..., Any]


def install(environment: Environment, more: Mapping[str, Filter]) -> None:
    """Give ``environment`` our filters and ``more``, and bound every filter it has."""
    environment.filters |= {**OWN, **more}
    for name, filter_ in environment.filters.items():
        environment.filters[name] = _bounded(name, filter_)


def _bounded(name: str, filter_: Filter) -> Filter:
    """Check and charge what goes in and comes out, and turn Python's errors into Liquid's."""
    takes_context = getattr(filter_, "with_context", False)

    @wraps(filter_)
    def bounded(left: object, *args: object, context: RenderContext, **kwargs: object) -> object:
        work = sum(_weigh(name, value) for value in (left, *args))
        if takes_context:
            kwargs["context"] = context
        try:
            result = filter_(left, *args, **kwargs)
        except (ValueError, ArithmeticError, LookupError, AttributeError, OSError) as error:
            raise FilterArgumentError(f"{name}: {error}", token=None) from error
        _charge(context, work + _weigh(name, result))
        return result

    return with_context(bounded)


def _weigh(name: str, value: object) -> int:
    """Return the size of ``value``. Raises ResourceLimitError when it is too much for a mail."""
    weight = WEIGHT_OF_WORDS if name in BY_WORD else 1
    if isinstance(value, str):
        size, limit = len(value), MAX_TEXT
    elif isinstance(value, list | tuple | dict):
        size, limit = len(value), MAX_UNIQ_ITEMS if name == "uniq" else MAX_ITEMS
        weight = WEIGHT_OF_ITEM
    elif isinstance(value, int):
        size, limit = value.bit_length(), MAX_BITS
    else:
        return 0
    if size > limit:
        raise ResourceLimitError(f"{name}: the value is too large", token=None)
    return size * weight


def _charge(context: RenderContext, size: int) -> None:
    spend: Callable[[int], None] | None = getattr(context, "spend", None)
    if spend:
        spend(1 + size // 50)


@string_filter
def bounded_replace(value: str, old: str, new: str = "") -> str:
    """Replace ``old`` by ``new`` unless the outcome would be huge."""
    if len(value) + value.count(soft_str(old)) * len(soft_str(new)) > MAX_TEXT:
        raise ResourceLimitError("replace: the value is too large", token=None)
    text: str = replace(value, old, new)
    return text


@with_environment
def bounded_join(value: object, separator: object = " ", *, environment: Environment) -> object:
    """Join the items of a list unless the outcome would be huge."""
    items = len(value) if isinstance(value, list | tuple) else 1
    if items * len(str(separator)) > MAX_TEXT:
        raise ResourceLimitError("join: the value is too large", token=None)
    joined: object = join(value, separator, environment=environment)
    return joined


# --- Time -----------------------------------------------------------------------------------------------------------
def format_date(value: object, form: object = "%Y-%m-%d", zone: object = None) -> str:
    """Write a point in time: text, Unix seconds or ``now``, in ``zone`` (an IANA name; UTC when it is empty)."""
    moment = moment_of(value)
    if moment is None:
        return "" if value is None or isinstance(value, Undefined) else soft_str(value)
    if zone and not isinstance(zone, Undefined):
        moment = moment.astimezone(_zone(zone))
    if len(str(form)) > MAX_FORMAT:
        raise ResourceLimitError("date: the format is too long", token=None)
    return moment.strftime(str(form))


def in_zone(value: object, zone: object) -> object:
    """Move a point in time to ``zone``, for a following ``date``; what is no time stays as it is."""
    moment = moment_of(value)
    return value if moment is None else moment.astimezone(_zone(zone))


def _zone(name: object) -> ZoneInfo:
    try:
        return ZoneInfo(str(name))
    except (ZoneInfoNotFoundError, ValueError) as error:
        raise FilterArgumentError(f"there is no time zone {str(name)[:60]!r}", token=None) from error


def moment_of(value: object) -> datetime | None:
    """Read ``value`` as a point in time; None when it is none. A time without a zone is in UTC."""
    if isinstance(value, datetime):
        moment = value
    elif isinstance(value, date):
        moment = datetime.combine(value, time.min)
    elif isinstance(value, int | float) and not isinstance(value, bool):
        moment = datetime.fromtimestamp(value / 1000 if abs(value) >= MILLISECONDS_FROM else value, UTC)
    elif isinstance(value, str) and value.strip().removeprefix("-").isdecimal() and len(value) < 16:
        return moment_of(int(value))
    elif isinstance(value, str) and value in ("now", "today"):
        moment = datetime.now(UTC)
    elif isinstance(value, str) and 0 < len(value) < 100:
        try:
            moment = parser.parse(value)
        except (parser.ParserError, OverflowError):
            return None
    else:
        return None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def _shifted(sign: int, unit: str) -> Filter:
    """Return a filter that moves a point in time: ``add_day: 3``, ``subtract_month: 1``."""

    def shifted(value: object, count: object = 1) -> object:
        moment, number = moment_of(value), number_of(count)
        if moment is None or number is None:
            return value
        if abs(number) > MAX_SHIFT:
            raise ResourceLimitError(f"{unit}: at most {MAX_SHIFT} can be added", token=None)
        return moment + relativedelta(**{f"{unit}s": sign * int(number)})

    return shifted


def timestamp(value: object) -> object:
    """Return a point in time as Unix seconds, to reckon with."""
    moment = moment_of(value)
    return value if moment is None else int(moment.timestamp())


# --- Numbers --------------------------------------------------------------------------------------------------------
def format_number(value: object, digits: object = None) -> str:
    """Write a number with thousands separators: 1234.5 → 1,234.5; ``digits`` fixes the places behind the point."""
    number = number_of(value)
    if number is None:
        return soft_str(value)
    if digits is None or isinstance(digits, Undefined):
        return f"{number:,f}"
    return f"{number:,.{min(max(int(str(digits)), 0), 20)}f}"


def currency(value: object, code: object = "USD") -> str:
    """Write an amount: 1234.5 → $1,234.50; ``currency: "EUR"`` → €1,234.50."""
    number = number_of(value)
    if number is None:
        return soft_str(value)
    name = str(code).upper()
    digits = 0 if name in WITHOUT_CENTS else 2
    sign = "-" if number < 0 else ""
    return f"{sign}{CURRENCIES.get(name, name + ' ')}{abs(number):,.{digits}f}"


def rounded_currency(value: object, code: object = "USD") -> str:
    """Write an amount without its cents: 1234.5 → $1,234."""
    number = number_of(value)
    return soft_str(value) if number is None else currency(number.to_integral_value(), code).removesuffix(".00")


def money(value: object, code: object = "USD") -> str:
    """Write an amount that is given in cents: 123450 → $1,234.50."""
    number = number_of(value)
    return soft_str(value) if number is None else currency(number / 100, code)


def number_of(value: object) -> Decimal | None:
    if isinstance(value, bool) or not isinstance(value, int | float | str | Decimal):
        return None
    try:
        number = Decimal(str(value))
    except InvalidOperation:
        return None
    return number if number.is_finite() and abs(number.adjusted()) < 100 else None


# --- Text -----------------------------------------------------------------------------------------------------------
@string_filter
def titlecase(value: str) -> str:
    """Write each word with a capital: ada lovelace → Ada Lovelace."""
    return " ".join(word[:1].upper() + word[1:].lower() for word in value.split(" "))


def pluralize(count: object, one: object, many: object = None) -> object:
    """Choose the word that fits a number: ``{{ n }} {{ n | pluralize: "item", "items" }}``."""
    if number_of(count) == 1:
        return one
    return f"{one}s" if many is None else many


def to_json(value: object) -> str:
    """Write a value as JSON."""
    plain = None if isinstance(value, Undefined) else value
    return json.dumps(plain, ensure_ascii=False, default=str)


def _digest(name: str) -> Filter:
    @string_filter
    def digest(value: str) -> str:
        return hashlib.new(name, value.encode("utf-8", "replace"), usedforsecurity=False).hexdigest()

    return digest


def _hmac(name: str) -> Filter:
    @string_filter
    def keyed(value: str, key: object = "") -> str:
        return hmac.new(str(key).encode(), value.encode("utf-8", "replace"), name).hexdigest()

    return keyed


@string_filter
def handleize(value: str) -> str:
    """Make a word for addresses: Blue Shoes! → blue-shoes."""
    plain = unicodedata.normalize("NFKD", value).encode("ascii", "ignore").decode().lower()
    return re.sub(r"[^a-z0-9]+", "-", plain).strip("-")


@string_filter
def camelcase(value: str) -> str:
    """Write words as one: blue shoes → BlueShoes."""
    return "".join(word[:1].upper() + word[1:] for word in re.split(r"[\W_]+", value) if word)


def money_with_currency(value: object, code: object = "USD") -> str:
    """Write an amount that is given in cents, with its currency: 123450 → $1,234.50 USD."""
    return f"{money(value, code)} {str(code).upper()}"


def money_without_trailing_zeros(value: object, code: object = "USD") -> str:
    """Write an amount that is given in cents, whole ones without cents: 123400 → $1,234."""
    return money(value, code).removesuffix(".00")


def money_without_currency(value: object) -> str:
    """Write an amount that is given in cents, without a sign: 123450 → 1,234.50."""
    number = number_of(value)
    return soft_str(value) if number is None else f"{number / 100:,.2f}"


UNITS = ("second", "minute", "hour", "day", "week", "month", "year")

OWN: dict[str, Filter] = {
    "date": format_date,
    "timezone": in_zone,
    "format_number": format_number,
    "currency": currency,
    "rounded_currency": rounded_currency,
    "money": money,
    "titlecase": titlecase,
    "pluralize": pluralize,
    "json": to_json,
    "to_json": to_json,
    "md5": _digest("md5"),
    "sha1": _digest("sha1"),
    "sha256": _digest("sha256"),
    "sha2": _digest("sha256"),
    "hmac_sha1": _hmac("sha1"),
    "hmac_sha256": _hmac("sha256"),
    "handleize": handleize,
    "handle": handleize,
    "camelcase": camelcase,
    "camelize": camelcase,
    "money_with_currency": money_with_currency,
    "money_without_trailing_zeros": money_without_trailing_zeros,
    "money_without_currency": money_without_currency,
    "timestamp": timestamp,
    **{f"add_{unit}": _shifted(1, unit) for unit in UNITS},
    **{f"subtract_{unit}": _shifted(-1, unit) for unit in UNITS},
    "replace": bounded_replace,
    "join": bounded_join,
}
