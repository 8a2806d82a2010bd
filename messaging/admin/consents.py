"""On a person's page: what they have consented to, whether they are tracked, and their own page of preferences."""

from __future__ import annotations

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import get_object_or_404
from django.urls import URLPattern, path, reverse
from django.utils import timezone
from django.views.decorators.http import require_POST
from unfold.admin import ModelAdmin

from events import audit
from events.admin_paging import ReadOnly
from events.audit import Actor
from events.models import Profile
from events.panels import Content
from messaging import links, permission
from messaging.admin import journal
from messaging.models import Consent, SendingLimits, Subscription, TrackingRefusal
from messaging.permission import Given

ADD = "messaging.add_consent"
SHOWN = 10


class ConsentForm(forms.ModelForm):  # type: ignore[type-arg]
    """A consent that somebody has given elsewhere: on paper, by telephone, by buying something."""

    class Meta:
        model = Consent
        fields = ("basis", "channel", "given_at", "detail")
        labels = {"given_at": "Given on (UTC)", "detail": "What was agreed to, and where"}
        widgets = {
            "detail": forms.TextInput({"placeholder": "Signed form at the fair in Vienna"}),
            "given_at": forms.DateTimeInput({"type": "datetime-local"}, format="%Y-%m-%dT%H:%M"),
        }
        error_messages = {"detail": {"required": "Say what it rests on: you may have to prove it."}}

    def __init__(self, *args: object, **kwargs: object) -> None:
        super().__init__(*args, **kwargs)  # type: ignore[arg-type]
        self.fields["detail"].required = True
        self.fields["given_at"].required = False

    def clean_given_at(self) -> object:
        given_at = self.cleaned_data["given_at"]
        if given_at and given_at > timezone.now():
            raise forms.ValidationError("This lies in the future.")
        return given_at


@admin.register(Consent)
class ConsentAdmin(ReadOnly, ModelAdmin):
    """Consents are noted and never changed; they stand on the person's page, so there is no list of them."""

    def get_urls(self) -> list[URLPattern]:
        wrap = self.admin_site.admin_view
        return [
            path("<int:profile_id>/add/", wrap(require_POST(self.note)), name="messaging_consent_note"),
            path("<int:profile_id>/track/", wrap(require_POST(self.track)), name="messaging_consent_track"),
        ]

    def note(self, request: HttpRequest, profile_id: int) -> HttpResponse:
        """Note a consent by hand."""
        if not request.user.has_perm(ADD):
            raise PermissionDenied
        profile = get_object_or_404(Profile, pk=profile_id)
        form = ConsentForm(request.POST)
        if form.is_valid():
            said = form.cleaned_data
            manual = Subscription.Source.MANUAL.value
            given = Given(profile.pk, said["basis"], manual, said["channel"], said["detail"], said["given_at"])
            permission.note([given])
            audit.note(Actor.of_user(request.user), "consents", profile.pk, basis=given.basis)
            journal.note(request, profile, "Noted a consent.")
            messages.success(request, "The consent is on record.")
        else:
            words = " ".join(
                f"{form.fields[name].label}: {' '.join(map(str, errors))}" for name, errors in form.errors.items()
            )
            messages.error(request, f"Nothing was noted. {words}")
        return _back(profile)

    def track(self, request: HttpRequest, profile_id: int) -> HttpResponse:
        """Record a person's opens and clicks, or not."""
        if not request.user.has_perm(ADD):
            raise PermissionDenied
        profile = get_object_or_404(Profile, pk=profile_id)
        allowed = request.POST.get("tracking") == "yes"
        if permission.track(profile.pk, allowed, Subscription.Source.MANUAL.value):
            audit.note(Actor.of_user(request.user), "consents", profile.pk, tracking=allowed)
            messages.success(request, f"Opens and clicks are {'recorded' if allowed else 'no longer recorded'}.")
        return _back(profile)


def _back(profile: Profile) -> HttpResponse:
    return HttpResponseRedirect(reverse("admin:events_profile_change", args=[profile.pk]))


def panel(profile: Profile, request: HttpRequest) -> Content | None:
    """Show the person's consents, the newest first. Three statements."""
    if not request.user.has_perm("messaging.view_consent"):
        return None
    now = timezone.now()
    rows = list(Consent.objects.filter(profile=profile).order_by("-pk")[: SHOWN + 1])
    may_add = request.user.has_perm(ADD)
    context = {
        "rows": [(row, row.expires_at is not None and row.expires_at <= now) for row in rows[:SHOWN]],
        "more": len(rows) > SHOWN,
        "needs_consent": SendingLimits.current().needs_consent,
        "is_untracked": TrackingRefusal.objects.filter(pk=profile.pk).exists(),
        "preferences_url": links.preferences_of(profile.pk),
        "form": ConsentForm(auto_id="consent-%s") if may_add else None,
    }
    return Content("admin/messaging/profile_consents.html", context)
