"""Who is calling: write keys of sources for what comes in, bearer tokens for what is read back.

Keys are looked up by digest. What was found is remembered for a moment in this process, so that a busy source costs
no look-up a call, and a revoked key is refused within that moment everywhere.
"""

from __future__ import annotations

import base64
import binascii
import logging
import time
from dataclasses import dataclass
from datetime import timedelta
from typing import Protocol, cast

from django.db import DatabaseError, models
from django.db.models import Q
from django.http import HttpRequest
from django.utils import timezone
from rest_framework.authentication import BaseAuthentication, get_authorization_header
from rest_framework.exceptions import AuthenticationFailed
from rest_framework.request import Request

from events.api import parsing
from events.models import ApiToken, Source, SourceKey, hash_key

logger = logging.getLogger(__name__)
REMEMBER_SECONDS = 2.0
MAX_KEY = 500
USED_GRAIN = timedelta(minutes=1)
SEEN_GRAIN = timedelta(seconds=10)


@dataclass(frozen=True, slots=True)
class Caller:
    """A source, known by one of its keys, and what that key is good for (``events.api.limits``)."""

    source: Source
    key_id: int
    kind: str
    allowed_origins: frozenset[str] = frozenset()
    rate_limit: int | None = None


class HasBody(Protocol):
    """A view as far as a key may be looked for in it: the unpacked body, for which Refusal may be raised."""

    @property
    def body(self) -> bytes: ...


class KeyAuthentication(BaseAuthentication):
    """Find the source that calls by the key it shows. For views that take calls: ``events.api.base.CallView``."""

    def find(self, request: HttpRequest, view: HasBody) -> Caller:
        """Raises AuthenticationFailed or Refusal."""
        raise NotImplementedError

    def authenticate_header(self, request: Request) -> str:
        # Not Basic: a browser would ask its user for a password.
        return 'WriteKey realm="tracking"'


class WriteKeyAuthentication(KeyAuthentication):
    """Take the write key from Basic (as user name, any password, also without a colon), Bearer or the body.

    Raises AuthenticationFailed, or Refusal for a body that cannot be unpacked.
    """

    def find(self, request: HttpRequest, view: HasBody) -> Caller:
        scheme, credentials = authorization(request)
        key = user_name(credentials) if scheme == "basic" else credentials if scheme == "bearer" else ""
        caller = find_caller(key)
        if caller is None and (scheme != "basic" or not key):
            # A bearer token may be one that we know nothing of; the write key then comes in the body.
            caller = find_caller(parsing.write_key(view.body))
        if caller is None:
            raise AuthenticationFailed("The write key is missing, unknown or revoked.", "invalid_key")
        return caller


class SiteKeyAuthentication(KeyAuthentication):
    """Take Customer.io's credentials: Basic with the source's site id and one of its keys."""

    def find(self, request: HttpRequest, view: HasBody) -> Caller:
        scheme, credentials = authorization(request)
        site_id, key = user_and_password(credentials) if scheme == "basic" else ("", "")
        caller = find_caller(key)
        if caller is None or caller.source.site_id != site_id:
            raise AuthenticationFailed("The site id or the API key is missing, unknown or revoked.", "invalid_key")
        return caller


class TokenAuthentication(BaseAuthentication):
    """Take a token of the management API: ``Authorization: Bearer cb_…``. ``request.auth`` becomes the ApiToken."""

    def authenticate(self, request: Request) -> tuple[None, ApiToken]:
        scheme, credentials = authorization(request)
        token = None
        if scheme == "bearer" and 0 < len(credentials) <= MAX_KEY:
            token = ApiToken.objects.filter(key_hash=hash_key(credentials), revoked_at=None).first()
        if token is None:
            raise AuthenticationFailed("The token is missing, unknown or revoked.", "invalid_token")
        _touch(ApiToken.objects.filter(pk=token.pk), "last_used_at", USED_GRAIN)
        return None, token

    def authenticate_header(self, request: Request) -> str:
        return 'Bearer realm="management"'


def find_caller(key: str) -> Caller | None:
    """Return the source that a key belongs to; None for unknown and revoked keys and for disabled sources."""
    if not 0 < len(key) <= MAX_KEY:
        return None
    digest = hash_key(key)
    found = _remembered.get(digest)
    if found and found[0] > time.monotonic():
        return found[1]
    row = (
        SourceKey.objects.select_related("source")
        .filter(key_hash=digest, revoked_at=None, source__enabled=True)
        .first()
    )
    if row is None:
        _remembered.pop(digest, None)
        return None
    caller = Caller(row.source, row.pk, row.kind, frozenset(row.allowed_origins), row.rate_limit)
    _remembered[digest] = (time.monotonic() + REMEMBER_SECONDS, caller)
    return caller


def note_use(caller: Caller) -> None:
    """Note now and then when a key was used and a source last sent something. Never fails."""
    now = time.monotonic()
    if now < _noted.get(caller.key_id, 0.0):
        return
    _noted[caller.key_id] = now + SEEN_GRAIN.total_seconds()
    try:
        _touch(SourceKey.objects.filter(pk=caller.key_id), "last_used_at", USED_GRAIN)
        _touch(Source.objects.filter(pk=caller.source.pk), "last_event_at", SEEN_GRAIN)
    except DatabaseError as error:
        logger.warning("could not note the use of key %s: %s", caller.key_id, error)


def note_source(source: Source) -> None:
    """Note now and then that a source, just read, has sent something without a key. Never fails."""
    if source.last_event_at and source.last_event_at > timezone.now() - SEEN_GRAIN:
        return
    try:
        _touch(Source.objects.filter(pk=source.pk), "last_event_at", SEEN_GRAIN)
    except DatabaseError as error:
        logger.warning("could not note that source %s has sent something: %s", source.pk, error)


_remembered: dict[str, tuple[float, Caller]] = {}
_noted: dict[int, float] = {}


def _touch(rows: models.QuerySet[models.Model], column: str, grain: timedelta) -> None:
    """Set a time to now, unless it has been set not longer than ``grain`` ago."""
    now = timezone.now()
    rows.filter(Q(**{column: None}) | Q(**{f"{column}__lt": now - grain})).update(**{column: now})


def authorization(request: HttpRequest | Request) -> tuple[str, str]:
    """Return the scheme in small letters and the credentials; nothing for a header that cannot be read."""
    scheme, _, credentials = get_authorization_header(cast(Request, request)).partition(b" ")
    try:
        return scheme.decode("ascii").lower(), credentials.strip().decode("ascii")
    except UnicodeDecodeError:
        return "unreadable", ""


def user_name(credentials: str) -> str:
    return user_and_password(credentials)[0]


def user_and_password(credentials: str) -> tuple[str, str]:
    """Take Basic credentials apart; nothing for such as cannot be read."""
    try:
        plain = base64.b64decode(credentials, validate=True).decode()
    except (binascii.Error, UnicodeDecodeError, ValueError):
        return "", ""
    user, _, password = plain.partition(":")
    return user, password
