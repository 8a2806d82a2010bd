"""Frequency caps: how many marketing messages one person gets at most."""

from __future__ import annotations

from typing import ClassVar

from django.contrib import admin
from django.db.models import QuerySet
from django.forms import ModelForm
from django.http import HttpRequest
from django.utils.html import format_html
from django.utils.safestring import SafeString
from unfold.admin import ModelAdmin

from events.audit import Actor
from messaging import limits
from messaging.models import FrequencyCap


@admin.register(FrequencyCap)
class FrequencyCapAdmin(ModelAdmin):
    """A change holds for everything that is not sent yet, and what other caps hold is looked at anew."""

    list_display = ("words", "full", "urgent", "state")
    list_select_related = ("topic",)
    empty_help = (
        "A frequency cap says how many marketing messages one person gets at most, such as 2 a day. Where it leaves "
        "room for one, the most important goes. Without a cap there is no limit. Receipts and other transactional "
        "messages neither count nor wait."
    )
    fieldsets: ClassVar = [
        (
            "How many",
            {
                "description": "Marketing messages to one person. Transactional messages, tests of templates and mail "
                "that is redirected to the test address do not count.",
                "fields": ("most", "window_length", "window_unit"),
            },
        ),
        ("Which messages", {"fields": ("topic", "channel")}),
        (
            "Where it is full",
            {
                "description": "The most important message goes first (the campaign’s priority), of equals the oldest.",
                "fields": ("when_full", "give_up_hours", "urgent_passes"),
            },
        ),
        (None, {"fields": ("enabled",)}),
    ]
    radio_fields: ClassVar = {"when_full": admin.VERTICAL}
    actions = None
    show_facets = admin.ShowFacets.NEVER

    @admin.display(description="Cap", ordering="id")
    def words(self, cap: FrequencyCap) -> str:
        return cap.words

    @admin.display(description="What finds no room")
    def full(self, cap: FrequencyCap) -> str:
        if cap.when_full == FrequencyCap.Full.DROP:
            return "Is not sent"
        return f"Waits, {cap.give_up_hours} hour{'s' if cap.give_up_hours > 1 else ''} at most"

    @admin.display(description="Urgent campaigns")
    def urgent(self, cap: FrequencyCap) -> str:
        return "Send all the same" if cap.urgent_passes else "Are held as well"

    @admin.display(description="State")
    def state(self, cap: FrequencyCap) -> SafeString:
        tone, word = ("ok", "On") if cap.enabled else ("muted", "Off")
        return format_html('<span class="cb-badge cb-badge--{}">{}</span>', tone, word)

    def save_model(self, request: HttpRequest, obj: FrequencyCap, form: ModelForm[FrequencyCap], change: bool) -> None:
        limits.store_cap(obj, Actor.of_user(request.user))

    def delete_model(self, request: HttpRequest, obj: FrequencyCap) -> None:
        limits.remove_cap(obj, Actor.of_user(request.user))

    def delete_queryset(self, request: HttpRequest, queryset: QuerySet[FrequencyCap]) -> None:
        for cap in queryset:
            self.delete_model(request, cap)
