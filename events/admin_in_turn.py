"""Let people who send a form at the same moment, or one of them twice, come one after the other."""

from __future__ import annotations

from typing import Any

from django.db import transaction
from django.http import HttpRequest, HttpResponse
from unfold.admin import ModelAdmin

from events import references


class InTurnAdmin(ModelAdmin):
    """A ModelAdmin for what has a name of its own: the later one is told that the name is taken."""

    def changeform_view(
        self,
        request: HttpRequest,
        object_id: str | None = None,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> HttpResponse:
        with transaction.atomic():
            if request.method == "POST":
                references.hold()
            response: HttpResponse = super().changeform_view(request, object_id, form_url, extra_context)
            return response
