"""Where a request came from. Proxies say so in X-Forwarded-For, which anybody can send: only ours are believed."""

from __future__ import annotations

from functools import cache
from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network

from django.conf import settings
from django.http import HttpRequest


def client_address(request: HttpRequest) -> str:
    """Return the address of the last one on the way to us who is none of ``TRUSTED_PROXIES``; "" when unknown."""
    forwarded = request.META.get("HTTP_X_FORWARDED_FOR", "").split(",")
    way: list[str] = [*(part.strip() for part in forwarded if part.strip()), request.META.get("REMOTE_ADDR", "")]
    trusted = _networks(tuple(settings.TRUSTED_PROXIES))
    for address in reversed(way):
        try:
            known = ip_address(address)
        except ValueError:
            return ""
        if not any(known in network for network in trusted):
            return str(known)
    return way[0]


@cache
def _networks(names: tuple[str, ...]) -> list[IPv4Network | IPv6Network]:
    return [ip_network(name, strict=False) for name in names]
