"""People who want no more marketing messages: listed, added by hand, and let in again at their own wish."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db.models import Model, QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import get_object_or_404
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString
from unfold.admin import ModelAdmin
from unfold.widgets import UnfoldAdminTextInputWidget

from events import audit
from events.audit import Actor
from events.models import Profile
from events.templatetags.console import moment
from messaging import consent
from messaging.admin import journal, people
from messaging.admin.messages import page_of
from messaging.models import Unsubscription


class UnsubscriptionForm(forms.ModelForm):  # type: ignore[type-arg]
    person = forms.CharField(
        widget=UnfoldAdminTextInputWidget(), help_text="The person's whole user id or email address."
    )

    class Meta:
        model = Unsubscription
        fields = ()

    def clean_person(self) -> Profile:
        found = list(people.named(self.cleaned_data["person"].strip())[:2])
        if not found:
            raise forms.ValidationError("There is nobody with this user id or email address.")
        if len(found) > 1:
            raise forms.ValidationError("Several people have it: give the user id.")
        if Unsubscription.objects.filter(profile=found[0]).exists():
            raise forms.ValidationError("This person has unsubscribed already.")
        return found[0]


@admin.register(Unsubscription)
class UnsubscriptionAdmin(ModelAdmin):
    """Resubscribing is the only way out of the list; it stands in the admin's log of the person."""

    form = UnsubscriptionForm
    fields = ("person",)
    list_display = ("who", "how", "about", "since", "resubscribe_link")
    list_display_links = ("who",)
    list_filter = ("method",)
    list_select_related = ("profile", "message")
    ordering = ("-created_at",)
    sortable_by = ()
    search_fields = ("profile__email",)
    search_help_text = "A whole user id or email address."
    show_facets = admin.ShowFacets.NEVER
    show_full_result_count = False
    list_per_page = 30
    empty_help = "Whoever unsubscribes is listed here, and gets no marketing messages."
    actions = None

    @admin.display(description="Person")
    def who(self, unsubscription: Unsubscription) -> str:
        profile = unsubscription.profile
        return f"{profile} ({profile.email})" if profile.user_id and profile.email else str(profile)

    @admin.display(description="How")
    def how(self, unsubscription: Unsubscription) -> str:
        return unsubscription.get_method_display()

    @admin.display(description="With message")
    def about(self, unsubscription: Unsubscription) -> SafeString | str:
        message = unsubscription.message
        return format_html('<a href="{}">{}</a>', page_of(message), message) if message else "–"

    @admin.display(description="When")
    def since(self, unsubscription: Unsubscription) -> SafeString | str:
        return moment(unsubscription.created_at)

    @admin.display(description="")
    def resubscribe_link(self, unsubscription: Unsubscription) -> SafeString:
        url = reverse("admin:messaging_unsubscription_resubscribe", args=[unsubscription.pk])
        return format_html('<a class="cb-button cb-button--small" href="{}">Resubscribe …</a>', url)

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Unsubscription], search_term: str
    ) -> tuple[QuerySet[Unsubscription], bool]:
        term = search_term.strip()
        if not term:
            return queryset, False
        return queryset.filter(profile_id__in=people.named(term).values("pk")), False

    def change_view(
        self,
        request: HttpRequest,
        object_id: str,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> HttpResponse:
        """Lead to the person: there is nothing else to see, and nothing to change."""
        return HttpResponseRedirect(reverse("admin:events_profile_change", args=[object_id]))

    def has_change_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False

    def save_model(self, request: HttpRequest, obj: Unsubscription, form: Any, change: bool) -> None:
        obj.profile = form.cleaned_data["person"]
        consent.unsubscribe(obj.profile.pk, "manual")
        audit.note(Actor.of_user(request.user), "consents", obj.profile.pk, unsubscribed=True)

    def get_urls(self) -> list[URLPattern]:
        view = self.admin_site.admin_view(self.resubscribe)
        urls: list[URLPattern] = super().get_urls()
        return [path("<int:profile_id>/resubscribe/", view, name="messaging_unsubscription_resubscribe"), *urls]

    def resubscribe(self, request: HttpRequest, profile_id: int) -> HttpResponse:
        """Ask, then let the person get marketing messages again."""
        if not self.has_delete_permission(request):
            raise PermissionDenied
        unsubscription = get_object_or_404(Unsubscription.objects.select_related("profile"), pk=profile_id)
        if request.method != "POST":
            context = {
                **self.admin_site.each_context(request),
                "title": "Resubscribe",
                "opts": Unsubscription._meta,
                "unsubscription": unsubscription,
            }
            return TemplateResponse(request, "admin/messaging/unsubscription/resubscribe.html", context)
        consent.resubscribe(profile_id)
        audit.note(Actor.of_user(request.user), "consents", profile_id, unsubscribed=False)
        profile = unsubscription.profile
        journal.note(request, profile, "Resubscribed by hand.")
        messages.success(request, f"{profile} gets marketing messages again.")
        return HttpResponseRedirect(reverse("admin:messaging_unsubscription_changelist"))
