"""The list of messages: newest first, looked up by person, address or id, and read-only."""

from __future__ import annotations

import uuid
from typing import Any

from django.contrib import admin
from django.db.models import Q, QuerySet
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString

from events.admin_paging import KeysetAdmin, ReadOnly
from events.models import Profile
from events.templatetags.console import moment
from messaging.admin import drafts, export, mailbox, message_page, people, whereabouts
from messaging.models import Message

# What is long, and in no column of the list.
UNSHOWN = (
    "variables",
    "profile__traits",
    "provider__secrets",
    "provider__settings",
    "template_version__content",
    *(f"template_version__template__{name}" for name in ("subject", "preheader", "html", "text")),
)


def named(query: str) -> Q:
    """Return the condition for messages that ``query`` names exactly: a public id, an address or a person.

    Every part of it is served by an index. At most one statement here, to find the people.
    """
    try:
        return Q(public_id=uuid.UUID(query))
    except ValueError:
        ids = list(people.named(query).values_list("pk", flat=True)[:50])
        return Q(profile_id__in=ids) | Q(address__in={query, query.lower()})


@admin.register(Message)
class MessageAdmin(ReadOnly, KeysetAdmin):
    """Nobody writes messages here: campaigns and tests do."""

    list_display = ("message", "to", "state", "via", "written")
    list_display_links = ("message",)
    list_filter = ("status", "provider", "is_test", "redirected")
    list_per_page = 30
    list_select_related = ("profile", "provider", "template_version__template")
    search_fields = ("address",)
    search_help_text = "A whole email address, user id or message id."
    show_facets = admin.ShowFacets.NEVER
    list_before_template = "admin/messaging/message/before.html"
    empty_help = "Messages appear as soon as a campaign or a test of a template writes one."
    actions = ("approve", "refuse")

    def get_queryset(self, request: HttpRequest) -> QuerySet[Message]:
        queryset: QuerySet[Message] = super().get_queryset(request)
        return queryset.defer(*UNSHOWN)

    def get_actions(self, request: HttpRequest) -> dict[str, Any]:
        """Offer what can be done with drafts, where the list shows nothing else."""
        found: dict[str, Any] = super().get_actions(request) if drafts.are_shown(request) else {}
        return found

    @admin.action(description="Approve the chosen drafts")
    def approve(self, request: HttpRequest, queryset: QuerySet[Message]) -> None:
        drafts.decide(request, queryset, "approve")

    @admin.action(description="Refuse the chosen drafts …")
    def refuse(self, request: HttpRequest, queryset: QuerySet[Message]) -> HttpResponse | None:
        if "sure" not in request.POST:
            return drafts.ask_why(self, request, queryset)
        drafts.decide(request, queryset, "refuse")
        return None

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Message], search_term: str
    ) -> tuple[QuerySet[Message], bool]:
        term = search_term.strip()
        return (queryset.filter(named(term)) if term else queryset), False

    @admin.display(description="Message")
    def message(self, message: Message) -> str:
        # The subject is written when it is sent.
        return message.subject or str(message.template_version.template)

    @admin.display(description="To")
    def to(self, message: Message) -> SafeString:
        test = format_html(' <span class="cb-badge cb-badge--muted">test</span>') if message.is_test else ""
        aside = format_html(' <span class="cb-badge cb-badge--warn">redirected</span>') if message.redirected else ""
        return format_html("{}{}{}", message.address or person(message.profile), test, aside)

    @admin.display(description="State")
    def state(self, message: Message) -> SafeString:
        return badge(message)

    @admin.display(description="Provider")
    def via(self, message: Message) -> str:
        return message.provider.name if message.provider else "Default"

    @admin.display(description="Written")
    def written(self, message: Message) -> SafeString | str:
        return moment(message.created_at)

    def get_urls(self) -> list[URLPattern]:
        view = self.admin_site.admin_view
        own = [
            path("export/", view(export.export), name="messaging_message_export"),
            path("mailbox/", view(mailbox.page), name="messaging_mailbox"),
            path("mailbox/list/", view(mailbox.newest), name="messaging_mailbox_list"),
            path("mailbox/<int:message_id>/seen/", view(mailbox.seen), name="messaging_mailbox_seen"),
            path("<int:message_id>/copy/", view(message_page.copy), name="messaging_message_copy"),
            path("<int:message_id>/send-again/", view(message_page.send_again), name="messaging_message_send_again"),
            path("drafts/decide/", view(self.decide_all), name="messaging_message_decide_all"),
            path("<int:message_id>/approve/", view(message_page.approve), name="messaging_message_approve"),
            path("<int:message_id>/refuse/", view(message_page.refuse), name="messaging_message_refuse"),
            path("<int:message_id>/leave/", view(message_page.leave), name="messaging_message_leave"),
        ]
        urls: list[URLPattern] = super().get_urls()
        return own + urls

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        context = {"export_form": export.ExportForm(), **(extra_context or {})}
        response: HttpResponse = super().changelist_view(request, context)
        # What an action shows in the list's place has no list.
        listed = response.context_data if isinstance(response, TemplateResponse) else None
        if listed and "cl" in listed and drafts.are_shown(request):
            listed |= {
                "drafts": drafts.count(listed["cl"].queryset),
                "capped": drafts.COUNTED,
                "at_once": drafts.AT_ONCE,
            }
        return response

    def decide_all(self, request: HttpRequest) -> HttpResponse:
        return drafts.decide_all(self, request)

    def change_view(
        self,
        request: HttpRequest,
        object_id: str,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> HttpResponse:
        return message_page.page(self, request, object_id)


def badge(message: Message) -> SafeString:
    """Show the status of ``message`` in words, in the colour of its meaning."""
    return format_html(
        '<span class="cb-badge cb-badge--{}">{}</span>',
        whereabouts.tone(message.status),
        message.get_status_display(),
    )


def person(profile: Profile) -> str:
    return profile.email or str(profile)


def page_of(message: Message) -> str:
    """Return the address of the page of ``message``."""
    return reverse("admin:messaging_message_change", args=[message.pk])
