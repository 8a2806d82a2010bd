"""Addresses that must not be written to: looked up, added by hand, taken off again."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import admin
from django.core.validators import validate_email
from django.db.models import Model, QuerySet
from django.http import HttpRequest
from django.utils.html import format_html
from django.utils.safestring import SafeString
from unfold.widgets import UnfoldAdminTextInputWidget

from events.admin_paging import KeysetAdmin
from events.templatetags.console import moment
from messaging import consent, lists
from messaging.admin.messages import page_of
from messaging.models import Suppression


class SuppressionForm(forms.ModelForm):  # type: ignore[type-arg]
    address = forms.CharField(
        label="Email address",
        widget=UnfoldAdminTextInputWidget({"type": "email"}),
        help_text="Nothing is sent to it any more, whoever it belongs to.",
    )
    detail = forms.CharField(
        label="Why", required=False, widget=UnfoldAdminTextInputWidget(), help_text="For your colleagues."
    )

    class Meta:
        model = Suppression
        fields = ("address", "detail")

    def clean_address(self) -> str:
        address: str = self.cleaned_data["address"].strip().lower()
        validate_email(address)
        if Suppression.objects.filter(channel="email", address__in=lists.forms(address)).exists():
            raise forms.ValidationError("This address is on the list already.")
        return address


@admin.register(Suppression)
class SuppressionAdmin(KeysetAdmin):
    """Entries are added and removed, never changed: the cause is what happened. Both stand in the admin's log."""

    form = SuppressionForm
    list_display = ("listed", "why", "about", "since")
    list_filter = ("cause",)
    list_select_related = ("message",)
    search_fields = ("=address",)
    search_help_text = "A whole email address."
    empty_help = "Nothing is sent to addresses on this list. Bounces and spam reports put them here by themselves."
    show_facets = admin.ShowFacets.NEVER
    fields = ("address", "detail")
    readonly_fields = ()

    @admin.display(description="Address")
    def listed(self, suppression: Suppression) -> str:
        disguised = suppression.address.startswith(lists.DISGUISED)
        return "An erased person's address" if disguised else suppression.address

    @admin.display(description="Why")
    def why(self, suppression: Suppression) -> str:
        cause = suppression.get_cause_display()
        return f"{cause}: {suppression.detail}" if suppression.detail else cause

    @admin.display(description="Message")
    def about(self, suppression: Suppression) -> SafeString | str:
        message = suppression.message
        return format_html('<a href="{}">{}</a>', page_of(message), message) if message else "–"

    @admin.display(description="Since")
    def since(self, suppression: Suppression) -> SafeString | str:
        return moment(suppression.created_at)

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Suppression], search_term: str
    ) -> tuple[QuerySet[Suppression], bool]:
        term = search_term.strip()
        found = queryset.filter(channel="email", address__in=lists.forms(term)) if term else queryset
        return found, False

    def has_change_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False

    def save_model(self, request: HttpRequest, obj: Suppression, form: Any, change: bool) -> None:
        consent.suppress(obj.address, Suppression.Cause.MANUAL, detail=obj.detail)
        # The log entry and the way on need the row that has been written.
        obj.pk = Suppression.objects.only("pk").get(channel="email", address=obj.address).pk

    def delete_model(self, request: HttpRequest, obj: Suppression) -> None:
        consent.unsuppress(obj.address)

    def delete_queryset(self, request: HttpRequest, queryset: QuerySet[Suppression]) -> None:
        for suppression in queryset:
            consent.unsuppress(suppression.address)
