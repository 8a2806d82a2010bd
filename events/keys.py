"""Make, replace, bind and revoke the keys of sources. A key's text is returned once; a secret one is kept nowhere."""

from __future__ import annotations

from collections.abc import Iterable
from urllib.parse import urlsplit

from django.utils import timezone

from events.models import Source, SourceKey, new_key

MAX_ORIGINS = 100
USUAL_PORTS = {"http": 80, "https": 443}


def make(source: Source, kind: str, label: str = "") -> tuple[SourceKey, str]:
    """Store a new key and return it with its text."""
    return _stored(SourceKey(source=source, kind=kind, label=label))


def successor(key: SourceKey) -> tuple[SourceKey, str]:
    """Store a key that is good for what ``key`` is good for, and return it with its text. ``key`` stays in use."""
    return _stored(
        SourceKey(
            source_id=key.source_id,
            kind=key.kind,
            label=key.label,
            allowed_origins=key.allowed_origins,
            rate_limit=key.rate_limit,
        )
    )


def revoke(key: SourceKey) -> None:
    """Refuse a key from now on; within two seconds in every process. Once revoked it stays so."""
    if key.revoked_at is None:
        key.revoked_at = timezone.now()
        key.save(update_fields=["revoked_at"])


def bind(key: SourceKey, origins: Iterable[str], rate_limit: int | None) -> None:
    """Keep a key to some pages and to so many events a second. Raises ValueError for what is no origin."""
    key.allowed_origins = sorted({origin(text) for text in origins})
    if len(key.allowed_origins) > MAX_ORIGINS:
        raise ValueError(f"A key can be bound to {MAX_ORIGINS} origins.")
    key.rate_limit = rate_limit
    key.save(update_fields=["allowed_origins", "rate_limit"])


def origin(text: str) -> str:
    """Return a web origin the way browsers write it. Raises ValueError, with words for whoever typed it."""
    try:
        parts = urlsplit(text.strip().lower())
        host, port = _host(parts.hostname or ""), parts.port
    except ValueError:
        raise _no_origin(text) from None
    if not host or not parts.scheme or parts.path.strip("/") or parts.query or parts.fragment or parts.username:
        raise _no_origin(text)
    usual = port is None or port == USUAL_PORTS.get(parts.scheme)
    return f"{parts.scheme}://{host}" if usual else f"{parts.scheme}://{host}:{port}"


def _no_origin(text: str) -> ValueError:
    return ValueError(f"{text.strip()[:100]} is no origin. Write it like https://shop.example, without a path.")


def _host(name: str) -> str:
    """Write a host's name in ASCII, an IPv6 address in brackets. Raises ValueError."""
    return f"[{name}]" if ":" in name else name.encode("idna").decode()


def _stored(key: SourceKey) -> tuple[SourceKey, str]:
    text = new_key(key.kind)
    key.set_key(text)
    key.save()
    return key, text
