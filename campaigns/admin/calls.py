"""The calls of web addresses that campaigns make: what was asked, what was answered, and what is tried again."""

from __future__ import annotations

from django.contrib import admin
from django.utils.html import format_html
from django.utils.safestring import SafeString

from campaigns.admin import page
from campaigns.models import Call
from events.admin_paging import KeysetAdmin, ReadOnly
from events.templatetags.console import moment


class StateFilter(admin.SimpleListFilter):
    """Narrow to what is open, went well or failed."""

    title = "state"
    parameter_name = "state"
    STATES = {"open": None, "answered": True, "failed": False}

    def lookups(self, request: object, model_admin: object) -> list[tuple[str, str]]:
        return [("open", "Not over yet"), ("answered", "Answered"), ("failed", "Failed")]

    def queryset(self, request: object, queryset):  # type: ignore[no-untyped-def]
        value = self.value()
        return queryset.filter(succeeded=self.STATES[value]) if value in self.STATES else queryset


@admin.register(Call)
class CallAdmin(ReadOnly, KeysetAdmin):
    list_display = ("what", "state", "detail", "tries", "journey_of", "began")
    list_select_related = ("journey__campaign", "journey__profile")
    list_filter = (StateFilter,)
    fields = ("method", "url", "headers", "body", "succeeded", "detail", "answer", "attempts", "due_at", "finished_at")
    empty_title = "No call yet"
    empty_help = "A step of a campaign that calls a web address leaves a row here."

    @admin.display(description="Call")
    def what(self, call: Call) -> str:
        return f"{call.method} {call.url or '(its address could not be filled in)'}"

    @admin.display(description="State")
    def state(self, call: Call) -> SafeString:
        tone, words = {None: ("info", "not over yet"), True: ("ok", "answered"), False: ("bad", "failed")}[
            call.succeeded
        ]
        return format_html('<span class="cb-badge cb-badge--{}">{}</span>', tone, words)

    @admin.display(description="Tried")
    def tries(self, call: Call) -> str:
        return "once" if call.attempts == 1 else f"{call.attempts} times"

    @admin.display(description="Journey")
    def journey_of(self, call: Call) -> SafeString:
        journey = call.journey
        return format_html(
            '<a class="cb-link" href="{}">{}</a>, {}',
            page.url("journey", journey.campaign_id, journey.pk),
            str(journey.profile),
            str(journey.campaign),
        )

    @admin.display(description="Over or due")
    def began(self, call: Call) -> SafeString | str:
        return moment(call.finished_at or call.due_at)
