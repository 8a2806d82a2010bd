"""The home page: the system's pulse on one screen."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest


def dashboard(request: HttpRequest, context: dict[str, Any]) -> dict[str, Any]:
    """Return the context of ``admin/index.html``."""
    return context
