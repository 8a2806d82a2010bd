"""Make one HTTP call of a campaign's, to the open internet only unless the operator allows more.

The name is looked up once and the connection goes to the very address that was checked. Redirects are not followed.
"""

from __future__ import annotations

import http.client
import ipaddress
import socket
import ssl
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from threading import Timer
from urllib.parse import SplitResult, urlsplit

from django.conf import settings

# For each wait, and for the whole call: whoever sends a letter now and then must not keep a worker for hours.
TIMEOUT = 10.0
MAX_SECONDS = 30.0
# Addresses of one name that are tried.
MAX_ADDRESSES = 3
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
    watch, began = Timer(MAX_SECONDS, connection.cut), time.monotonic()
    watch.start()
    try:
        connection.request(method, target, body or None, dict(headers))
        answer = connection.getresponse()
        reply = Reply(answer.status, answer.reason, answer.read(MAX_ANSWER))
    except (ValueError, UnicodeError) as error:
        raise Refused(f"The address or a header cannot be sent: {error}") from error
    finally:
        watch.cancel()
        connection.close()
    if time.monotonic() - began >= MAX_SECONDS:
        raise TimeoutError(f"it was not complete after {MAX_SECONDS:g} seconds")
    return reply


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
    for address in found[:MAX_ADDRESSES]:
        try:
            return socket.create_connection((str(address[0]), port), TIMEOUT)
        except OSError as error:
            failure = error
    raise failure


class _Plain(http.client.HTTPConnection):
    # ``sock`` is given away with the answer.
    opened: socket.socket | None = None

    def connect(self) -> None:
        self.sock = self.opened = _open(self.host, self.port)

    def cut(self) -> None:
        """End whatever is under way, from another thread."""
        if self.opened is not None:
            with suppress(OSError):
                socket.socket.shutdown(self.opened, socket.SHUT_RDWR)


class _Secure(_Plain):
    default_port = http.client.HTTPS_PORT

    def connect(self) -> None:
        opened = _open(self.host, self.port)
        secure = _TLS.wrap_socket(opened, server_hostname=self.host, do_handshake_on_connect=False)
        self.sock = self.opened = secure
        secure.do_handshake()
