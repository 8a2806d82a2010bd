"""Addresses that must not be written to: looked up, added by hand, taken off again."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import admin
from django.contrib import messages as notes
from django.core.exceptions import PermissionDenied
from django.db.models import Model, QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect, StreamingHttpResponse
from django.urls import URLPattern, path, reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.views.decorators.http import require_POST
from unfold.widgets import UnfoldAdminTextInputWidget

from events import audit
from events.admin_paging import KeysetAdmin
from events.audit import Actor
from events.templatetags.console import moment
from messaging import consent, lists, policy, suppression_files
from messaging.admin.messages import page_of
from messaging.models import Suppression


class SuppressionForm(forms.ModelForm):  # type: ignore[type-arg]
    address = forms.CharField(
        label="Email address or telephone number",
        widget=UnfoldAdminTextInputWidget(),
        help_text="Nothing is sent to it any more, whoever it belongs to. Numbers with their country: +43660123456.",
    )
    detail = forms.CharField(
        label="Why", required=False, widget=UnfoldAdminTextInputWidget(), help_text="For your colleagues."
    )

    class Meta:
        model = Suppression
        fields = ("address", "detail")

    def clean_address(self) -> str:
        address: str = self.cleaned_data["address"].strip().lower()
        self.instance.channel = "email" if "@" in address else "sms"
        if self.instance.channel == "sms":
            address = policy.plain_number(address)
        if not policy.is_reachable(self.instance.channel, address):
            raise forms.ValidationError("This is neither an email address nor a number such as +43660123456.")
        known = Suppression.objects.filter(channel=self.instance.channel, address__in=lists.forms(address))
        if known.exists():
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
    search_help_text = "A whole email address or telephone number."
    list_before_template = "admin/messaging/suppression/files.html"
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
        found = queryset.filter(address__in=lists.forms(term)) if term else queryset
        return found, False

    def has_change_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False

    def save_model(self, request: HttpRequest, obj: Suppression, form: Any, change: bool) -> None:
        consent.suppress(obj.address, Suppression.Cause.MANUAL, detail=obj.detail, channel=obj.channel)
        audit.note(Actor.of_user(request.user), "suppressions", added=1)
        # The log entry and the way on need the row that has been written.
        obj.pk = Suppression.objects.only("pk").get(channel=obj.channel, address=obj.address).pk

    def delete_model(self, request: HttpRequest, obj: Suppression) -> None:
        consent.unsuppress(obj.address, obj.channel)
        audit.note(Actor.of_user(request.user), "suppressions", removed=1)

    def delete_queryset(self, request: HttpRequest, queryset: QuerySet[Suppression]) -> None:
        for suppression in queryset:
            self.delete_model(request, suppression)

    def get_urls(self) -> list[URLPattern]:
        wrap = self.admin_site.admin_view
        urls: list[URLPattern] = super().get_urls()
        return [
            path("import/", wrap(require_POST(self.take)), name="messaging_suppression_import"),
            path("export/", wrap(require_POST(self.export)), name="messaging_suppression_export"),
            *urls,
        ]

    def take(self, request: HttpRequest) -> HttpResponse:
        """Put the addresses of a file on the list, and say what came of it."""
        if not self.has_add_permission(request):
            raise PermissionDenied
        back = HttpResponseRedirect(reverse("admin:messaging_suppression_changelist"))
        upload = request.FILES.get("file")
        if upload is None:
            notes.error(request, "Choose a file first: a CSV, or a text with one address a line.")
            return back
        try:
            taken = suppression_files.take(upload.read(suppression_files.MOST_BYTES + 1))
        except suppression_files.Unreadable as error:
            notes.error(request, str(error))
            return back
        audit.note(Actor.of_user(request.user), "suppressions", added=taken.new, file=upload.name)
        notes.success(request, f"{taken.new:,} new on the list, {taken.known:,} were there already.")
        if taken.refused:
            more = taken.refused - len(taken.examples)
            told = " ".join(taken.examples) + (f" And {more:,} more." if more else "")
            notes.warning(request, f"{taken.refused:,} could not be read. {told}")
        return back

    def export(self, request: HttpRequest) -> StreamingHttpResponse:
        """Give the whole list out as a file."""
        if not self.has_view_permission(request):
            raise PermissionDenied
        audit.note(Actor.of_user(request.user), "download", kind="suppressions", format="csv")
        return suppression_files.download("csv")
