"""Topics: what mails are about, and on a person's page what the person has said of each."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, HttpResponseNotAllowed, HttpResponseRedirect
from django.shortcuts import get_object_or_404, redirect
from django.urls import URLPattern, path, reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString
from unfold.admin import TabularInline
from unfold.widgets import UnfoldAdminTextareaWidget, UnfoldAdminTextInputWidget

from events import audit
from events.admin_in_turn import InTurnAdmin
from events.audit import Actor
from events.models import Profile
from events.panels import Content
from messaging import subscriptions, topics
from messaging.admin import journal
from messaging.models import Subscription, Topic, TopicTranslation
from messaging.policy import TopicState

MAY_SAY = "messaging.add_subscription"
# What comes of it for mails: a badge's tone and words.
GETS = {
    TopicState.OPEN: ("ok", "Gets it"),
    TopicState.LEFT: ("warn", "Unsubscribed"),
    TopicState.NOT_JOINED: ("muted", "Not subscribed"),
}


class TopicForm(forms.ModelForm):  # type: ignore[type-arg]
    class Meta:
        model = Topic
        fields = ("name", "slug", "description", "joining", "position", "archived")
        widgets = {
            "name": UnfoldAdminTextInputWidget,
            "slug": UnfoldAdminTextInputWidget,
            "description": UnfoldAdminTextareaWidget({"rows": 3}),
        }


class TranslationInline(TabularInline):
    """What people read on their pages, where they speak another language."""

    model = TopicTranslation
    extra = 0
    verbose_name = "name in another language"
    verbose_name_plural = "in other languages"


@admin.register(Topic)
class TopicAdmin(InTurnAdmin):
    """Topics; one that is used is not deleted, and what people have said of one neither: it can be archived."""

    form = TopicForm
    list_display = ("name", "slug", "joining", "state", "position")
    list_filter = ("archived", "joining")
    search_fields = ("name", "slug")
    empty_help = (
        "A topic is what mails are about, such as a newsletter. Add one above, then choose it in a template: "
        "people who leave it get nothing more about it."
    )
    prepopulated_fields = {"slug": ("name",)}
    inlines = (TranslationInline,)
    actions = None
    change_form_outer_before_template = "admin/messaging/topic/facts.html"
    show_facets = admin.ShowFacets.NEVER

    @admin.display(description="State", ordering="archived")
    def state(self, topic: Topic) -> str:
        return "Archived" if topic.archived else "Offered"

    @admin.display(description="Number")
    def number(self, topic: Topic) -> SafeString:
        return format_html(
            "{} <span>(Customer.io’s libraries may call it <code>topic_{}</code>)</span>", topic.pk, topic.pk
        )

    def get_fields(self, request: HttpRequest, obj: Topic | None = None) -> tuple[str, ...]:
        return (*TopicForm.Meta.fields, "number") if obj else TopicForm.Meta.fields

    def get_readonly_fields(self, request: HttpRequest, obj: Topic | None = None) -> tuple[str, ...]:
        """Keep the short name: conditions and programs know the topic by it."""
        return ("slug", "number") if obj else ()

    def get_prepopulated_fields(self, request: HttpRequest, obj: Topic | None = None) -> dict[str, Any]:
        return {} if obj else {"slug": ("name",)}

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        topic = self.get_object(request, object_id)
        facts = {"topic": topic, "uses": topics.uses(topic), "is_kept": topics.is_kept(topic)} if topic else {}
        response: HttpResponse = super().change_view(request, object_id, form_url, {**(extra_context or {}), **facts})
        return response

    def has_delete_permission(self, request: HttpRequest, obj: Topic | None = None) -> bool:
        """Nobody takes a topic from under those who use it: its page says who does."""
        allowed = super().has_delete_permission(request, obj)
        return bool(allowed and (obj is None or not topics.obstacle(obj)))

    def delete_view(
        self, request: HttpRequest, object_id: str, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """Look once more for uses: somebody may have named it while this page was read."""
        topic = self.get_object(request, object_id)
        try:
            if topic and super().has_delete_permission(request, topic) and (obstacle := topics.obstacle(topic)):
                raise topics.CannotDelete(obstacle)
            response: HttpResponse = super().delete_view(request, object_id, extra_context)
        except topics.CannotDelete as error:
            messages.error(request, f"It was not deleted. {error}")
            return redirect(reverse("admin:messaging_topic_change", args=[object_id]))
        return response

    def delete_model(self, request: HttpRequest, obj: Topic) -> None:
        topics.delete(obj)

    def get_urls(self) -> list[URLPattern]:
        view = self.admin_site.admin_view(self.say)
        urls: list[URLPattern] = super().get_urls()
        return [path("<int:topic_id>/people/<int:profile_id>/", view, name="messaging_topic_say"), *urls]

    def say(self, request: HttpRequest, topic_id: int, profile_id: int) -> HttpResponse:
        """Subscribe a person to a topic, or unsubscribe them, for all channels."""
        if request.method != "POST":
            return HttpResponseNotAllowed(["POST"])
        if not request.user.has_perm(MAY_SAY):
            raise PermissionDenied
        topic, profile = get_object_or_404(Topic, pk=topic_id), get_object_or_404(Profile, pk=profile_id)
        subscribes = request.POST.get("state") == Subscription.State.SUBSCRIBED
        say = subscriptions.subscribe if subscribes else subscriptions.unsubscribe
        if say([profile.pk], topic, Subscription.Source.MANUAL):
            words = f"Subscribed to {topic} by hand." if subscribes else f"Unsubscribed from {topic} by hand."
            if subscribes and topic.joining == Topic.Joining.CONFIRMED:
                words = f"Asked by mail to confirm the subscription to {topic}."
            journal.note(request, profile, words)
            audit.note(Actor.of_user(request.user), "subscriptions", profile.pk, topics=[topic.slug])
            messages.success(request, words)
        return HttpResponseRedirect(reverse("admin:events_profile_change", args=[profile.pk]))


def topics_panel(profile: Profile, request: HttpRequest) -> Content | None:
    """Show what the person has said of each topic, and what comes of it for mails. Three statements."""
    if not request.user.has_perm("messaging.view_topic"):
        return None
    every = list(Topic.objects.all())
    said = subscriptions.newest(profile.pk, every)
    states = subscriptions.states([(profile.pk, topic.pk, "email") for topic in every])
    rows = [
        (topic, *GETS[states[profile.pk, topic.pk, "email"]], said[topic.pk])
        for topic in every
        if said[topic.pk] or not topic.archived
    ]
    return Content("admin/messaging/profile_topics.html", {"rows": rows, "may_say": request.user.has_perm(MAY_SAY)})
