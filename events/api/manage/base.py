"""What every view of the management API does alike: a token with the right scope, JSON as bytes, pages by cursor."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Any, TypeVar
from urllib.parse import urlencode

import msgspec
from django.db.models import Model, QuerySet, TextField
from django.db.models.functions import Cast
from django.http import HttpResponse
from django.utils.dateparse import parse_datetime
from rest_framework.request import Request

from events.api import scopes
from events.api.authentication import TokenAuthentication
from events.api.base import JsonView
from events.api.body import CALL_LIMIT
from events.api.refusal import Refusal
from events.models import ApiToken

DEFAULT_LIMIT, MAX_LIMIT = 100, 1000
READING = ("GET", "HEAD", "OPTIONS")

Row = TypeVar("Row")


class ManagementView(JsonView):
    """A view behind a bearer token. ``area`` is what it is about: the part of a scope before the colon."""

    authentication_classes = [TokenAuthentication]
    area = "profiles"
    # For views that only write, whatever the method says, such as an export that is asked for with GET.
    scope = ""

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        super().initial(request, *args, **kwargs)
        needed = self.scope or f"{self.area}:{'read' if request.method in READING else 'write'}"
        if not scopes.allows(token_of(request).scopes, needed):
            raise Refusal("missing_scope", f"This token lacks the scope {needed}.", "Authorization", 403)


def token_of(request: Request) -> ApiToken:
    token = request.auth
    assert isinstance(token, ApiToken), "initial() lets nobody else through"
    return token


def respond(answer: object, status: int = 200) -> HttpResponse:
    return HttpResponse(msgspec.json.encode(answer), content_type="application/json", status=status)


def read_body(request: Request, fields: dict[str, type]) -> dict[str, Any]:
    """Return the JSON object of a request: the given fields and types, all optional. Raises Refusal."""
    body = request._request.read(CALL_LIMIT + 1)
    if len(body) > CALL_LIMIT:
        raise Refusal("too_large", f"At most {CALL_LIMIT // 1024} KB can be taken.", "body")
    try:
        said = msgspec.json.decode(body)
    except (msgspec.DecodeError, RecursionError):
        raise Refusal("invalid_json", "The body is not JSON.", "body") from None
    if not isinstance(said, dict):
        raise Refusal("invalid_value", "The body has to be a JSON object.", "body")
    for name, value in said.items():
        if name not in fields:
            raise Refusal("unknown_field", f"Known are {', '.join(fields)}.", name)
        if value is not None and (not isinstance(value, fields[name]) or (fields[name] is int and value is True)):
            raise Refusal("invalid_value", f"{name} has to be {WORDS[fields[name]]}.", name)
        if "\\u0000" in msgspec.json.encode(value).decode():
            raise Refusal("invalid_value", f"{name} holds a character that cannot be stored.", name)
    return said


WORDS: dict[type, str] = {
    str: "a text",
    bool: "true or false",
    int: "a whole number",
    dict: "an object",
    list: "a list",
}


def names_of(said: dict[str, Any], field: str) -> list[str]:
    """Return the user ids or emails that a body names under ``field``, none where it does not. Raises Refusal."""
    given = said.get(field) or []
    if not all(isinstance(name, str) for name in given):
        raise Refusal("invalid_value", f"{field} has to be a list of user ids or emails.", field)
    return [str(name) for name in given]


def limit_of(request: Request) -> int:
    given = request.query_params.get("limit")
    try:
        limit = DEFAULT_LIMIT if given is None else int(given)
    except ValueError:
        limit = 0
    if limit < 1:
        raise Refusal("invalid_value", f"The limit has to be a number from 1 to {MAX_LIMIT}.", "limit")
    return min(limit, MAX_LIMIT)


def text_of(request: Request, name: str) -> str:
    """Return a query parameter; nothing when it is not there. Raises Refusal."""
    text: str = request.query_params.get(name, "")
    if "\0" in text:
        raise Refusal("invalid_value", f"{name} holds a character that cannot be stored.", name)
    return text


def time_of(request: Request, name: str) -> datetime | None:
    """Return a query parameter that is a time. Raises Refusal."""
    text = text_of(request, name)
    if not text:
        return None
    try:
        # A plus sign that nobody encoded arrives as a blank. In UTC, as zones may be odder than a database takes.
        at = parse_datetime(text.replace(" ", "+"))
        if at is not None and at.tzinfo is not None:
            return at.astimezone(UTC)
    except (OverflowError, ValueError):
        pass
    raise Refusal("invalid_value", f"{name} has to be an ISO 8601 time with its zone.", name)


def page(
    request: Request,
    found: Sequence[Row],
    entry: Callable[[Row], object],
    cursor: Callable[[Row], str],
    rest: str | None = None,
) -> HttpResponse:
    """Answer with ``{"results", "next"}``; ``found`` holds one row more than asked for when there is a next page.

    ``rest`` is where to go on although nothing more was found here.
    """
    limit = limit_of(request)
    begin = cursor(found[limit - 1]) if len(found) > limit else rest
    following = None
    if begin is not None:
        query = {**request.query_params.dict(), "limit": limit, "cursor": begin}
        following = request.build_absolute_uri(f"{request.path}?{urlencode(query)}")
    return respond({"results": [entry(row) for row in found[:limit]], "next": following})


def before_id(request: Request) -> int:
    """Return the cursor of lists that go by falling id. Raises Refusal."""
    text = request.query_params.get("cursor")
    if text is None:
        return 2**63 - 1
    if not (text.isascii() and text.isdigit() and len(text) < 19):
        raise bad_cursor()
    return int(text)


def bad_cursor() -> Refusal:
    return Refusal("invalid_value", "The cursor is not one of ours.", "cursor")


def raw(rows: QuerySet[Model], column: str) -> msgspec.Raw:
    """Return a JSON column of one row as the database holds it."""
    return msgspec.Raw(rows.values_list(Cast(column, TextField()), flat=True).get())
