"""Devices on the page of their person."""

from __future__ import annotations

from django.http import HttpRequest

from events import panels
from events.models import Profile

SHOWN = 20


def devices_panel(profile: Profile, request: HttpRequest) -> panels.Content | None:
    """Show the devices, last used first; no panel without any. One statement."""
    devices = list(profile.devices.order_by("-last_used_at", "-pk")[: SHOWN + 1])
    if not devices:
        return None
    return panels.Content("admin/events/devices.html", {"devices": devices[:SHOWN], "more": len(devices) > SHOWN})
