"""Join the home page's two halves: what campaigns know, and whether the parts beneath them answer."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest

from campaigns.admin import home
from config import health


def dashboard(request: HttpRequest, context: dict[str, Any]) -> dict[str, Any]:
    """Return the context of ``admin/index.html``."""
    return home.dashboard(request, {**context, "health": health.check()})
