"""The line on every page of the console while mail does not go to its recipients."""

from __future__ import annotations

from typing import Any

from django import template
from django.utils import timezone

from messaging import limits
from messaging.models import SendingLimits

register = template.Library()


@register.inclusion_tag("admin/messaging/limits/banner.html", takes_context=True)
def sending_banner(context: dict[str, Any]) -> dict[str, Any]:
    """Return what the banner says, nothing for who is not logged in. One statement."""
    request = context.get("request")
    user = getattr(request, "user", None)
    if user is None or not user.is_staff:
        return {}
    current, now = SendingLimits.current(), timezone.now()
    return {
        "words": limits.banner(current, now),
        "holds": current.holds(now),
        "limits": current,
        "may_see": user.has_perm("messaging.view_sendinglimits"),
    }
