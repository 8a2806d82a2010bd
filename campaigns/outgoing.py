"""Make one HTTP call of a campaign's, to the open internet only unless the operator allows more.

The name is looked up once and the connection goes to the very address that was checked. Redirects are not followed.
"""

from __future__ import annotations

import http.client
import ipaddress
import socket
import ssl
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import SplitResult, urlsplit

from django.conf import settings

TIMEOUT = 10.0
MAX_ANSWER = 32 * 1024
_TLS = ssl.create_default_context()


@dataclass(frozen=True, slots=True)
class Reply:
    """What was answered; ``body`` is its beginning."""

    status: int
    reason: str
    body: bytes


class Refused(ValueError):
    """Raised for an address that is not called, now or later; says why."""


def call(method: str, url: str, headers: Mapping[str, str], body: bytes) -> Reply:
    """Call and return the answer, whatever its status. Raises Refused; OSError or HTTPException when there is none."""
    parts = _parts(url)
    kind = _Secure if parts.scheme == "https" else _Plain
    connection = kind(parts.hostname or "", parts.port or kind.default_port, timeout=TIMEOUT)
    target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    try:
        connection.request(method, target, body or None, dict(headers))
        answer = connection.getresponse()
        return Reply(answer.status, answer.reason, answer.read(MAX_ANSWER))
    except (ValueError, UnicodeError) as error:
        raise Refused(f"The address or a header cannot be sent: {error}") from error
    finally:
        connection.close()


def _parts(url: str) -> SplitResult:
    try:
        parts = urlsplit(url)
        has_host = bool(parts.hostname) and (parts.port is None or parts.port > 0)
    except ValueError as error:
        raise Refused(f"{url[:200]} is no address: {error}") from error
    if parts.scheme not in ("http", "https") or not has_host:
        raise Refused(f"{url[:200]} must begin with https:// or http:// and name a host")
    return parts


def _open(host: str, port: int) -> socket.socket:
    """Connect to the first address of ``host`` that answers, when all of them may be called."""
    found = [info[4] for info in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)]
    for address in found:
        if not settings.CALLS_TO_PRIVATE_ADDRESSES and not ipaddress.ip_address(address[0]).is_global:
            raise Refused(f"{host} leads into a private network, where campaigns call nobody")
    failure: OSError = OSError(f"{host} has no address")
    for address in found:
        try:
            return socket.create_connection((str(address[0]), port), TIMEOUT)
        except OSError as error:
            failure = error
    raise failure


class _Plain(http.client.HTTPConnection):
    def connect(self) -> None:
        self.sock = _open(self.host, self.port)


class _Secure(http.client.HTTPSConnection):
    def connect(self) -> None:
        self.sock = _TLS.wrap_socket(_open(self.host, self.port), server_hostname=self.host)
