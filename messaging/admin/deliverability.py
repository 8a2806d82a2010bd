"""Deliverability: what DNS says of sending domains, what mailbox providers make of our mails, and what is held."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, HttpResponseNotAllowed, HttpResponseRedirect
from django.shortcuts import get_object_or_404
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils import timezone
from unfold.admin import ModelAdmin

from events import audit
from events.admin_paging import ReadOnly
from events.audit import Actor
from messaging import carrier_counts, dns_rules, domains, holds, mailboxes
from messaging.models import Hold, SendingDomain

WEEK = timedelta(days=7)
CHANGE = "messaging.change_sendingdomain"
# Below so many mails a share says nothing.
ENOUGH = 100
SELECTORS_HELP = SendingDomain._meta.get_field("selectors").help_text
TONES = {"good": "ok", "warn": "warn", "fail": "bad", "unknown": "muted"}
WORDS = {"good": "Good", "warn": "Could be better", "fail": "Fails", "unknown": "Not known"}
# While somebody waits for a look the page asks again so often.
REFRESH_SECONDS = 3
WAITS = timedelta(minutes=2)


@dataclass(frozen=True, slots=True)
class Share:
    """A share of mails in per cent, with how far it fills the bar up to the limit."""

    percent: float
    limit: mailboxes.Limit
    is_telling: bool

    @property
    def tone(self) -> str:
        if not self.is_telling:
            return "muted"
        if self.percent >= self.limit.most:
            return "bad"
        return "warn" if self.percent >= self.limit.aim else "ok"

    @property
    def filled(self) -> int:
        return min(100, round(100 * self.percent / self.limit.most))


@dataclass(frozen=True, slots=True)
class Row:
    """A mailbox provider with what became of the mails to it."""

    name: str
    sent: int
    bounces: Share
    complaints: Share
    unsubscribed: float


class DomainForm(forms.ModelForm):  # type: ignore[type-arg]
    """What DNS cannot tell: the names of the keys, and where bounces go."""

    selectors = forms.CharField(label="Names of the DKIM keys (selectors)", required=False, help_text=SELECTORS_HELP)

    class Meta:
        model = SendingDomain
        fields = ("selectors", "return_path")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.initial["selectors"] = ", ".join(self.instance.selectors)

    def clean_selectors(self) -> list[str]:
        names = [name for name in self.cleaned_data["selectors"].replace(",", " ").lower().split() if name]
        for name in names:
            if len(name) > 63 or not all(part.replace("-", "").replace("_", "").isalnum() for part in name.split(".")):
                raise forms.ValidationError(f"“{name}” is no name of a key: letters, digits, - and _, such as s1.")
        return list(dict.fromkeys(names))

    def clean_return_path(self) -> str:
        name: str = self.cleaned_data["return_path"].strip().lower().rstrip(".").rpartition("@")[2]
        if name and ("." not in name or not all(part.replace("-", "").isalnum() for part in name.split("."))):
            raise forms.ValidationError(f"“{name}” is no domain: write it as bounces.example.com.")
        return name


@admin.register(SendingDomain)
class SendingDomainAdmin(ReadOnly, ModelAdmin):
    """Two pages: all domains with the figures, and one domain with what to do."""

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        if not self.has_view_permission(request):
            raise PermissionDenied
        domains.discover()
        context = {
            **self.admin_site.each_context(request),
            "title": "Deliverability",
            "opts": self.opts,
            "domains": [(domain, _summary(domain)) for domain in SendingDomain.objects.all()],
            "rows": rows(),
            "holds": Hold.open(),
            "may_change": request.user.has_perm(CHANGE),
            "enough": ENOUGH,
        }
        return TemplateResponse(request, "admin/messaging/deliverability/page.html", context)

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        if not self.has_view_permission(request):
            raise PermissionDenied
        domain = get_object_or_404(SendingDomain, pk=object_id)
        may_change = request.user.has_perm(CHANGE)
        form = DomainForm(request.POST or None, instance=domain)
        if request.method == "POST":
            if not may_change:
                raise PermissionDenied
            if form.is_valid():
                _save(request, form)
                return HttpResponseRedirect(request.path)
            domain.refresh_from_db()
        is_waiting = _is_waiting(domain)
        context = {
            **self.admin_site.each_context(request),
            "title": domain.name,
            "opts": self.opts,
            "domain": domain,
            "findings": [(one, TONES[one.state], WORDS[one.state]) for one in domains.findings(domain)],
            "keys": _ages(domain.keys),
            "old_after": dns_rules.OLD_AFTER_DAYS,
            "form": form,
            "may_change": may_change,
            "is_waiting": is_waiting,
            "refresh": REFRESH_SECONDS if is_waiting and request.method == "GET" else 0,
            "rows": rows(domain.name),
            "enough": ENOUGH,
        }
        return TemplateResponse(request, "admin/messaging/deliverability/domain.html", context)

    def get_urls(self) -> list[URLPattern]:
        wrap = self.admin_site.admin_view
        urls: list[URLPattern] = super().get_urls()
        return [
            path("holds/<int:hold_id>/lift/", wrap(self.lift), name="messaging_hold_lift"),
            path("<int:domain_id>/look/", wrap(self.look), name="messaging_sendingdomain_look"),
            *urls,
        ]

    def look(self, request: HttpRequest, domain_id: int) -> HttpResponse:
        """Have a worker look at DNS now; the page shows what it finds."""
        _may_post(request)
        if request.method != "POST":
            return HttpResponseNotAllowed(["POST"])
        domains.request(get_object_or_404(SendingDomain, pk=domain_id))
        return HttpResponseRedirect(reverse("admin:messaging_sendingdomain_change", args=[domain_id]))

    def lift(self, request: HttpRequest, hold_id: int) -> HttpResponse:
        """Let marketing that was held go on."""
        _may_post(request)
        if request.method != "POST":
            return HttpResponseNotAllowed(["POST"])
        found = get_object_or_404(Hold, pk=hold_id)
        holds.lift(found, str(request.user))
        audit.note(Actor.of_user(request.user), "holds", hold=f"{found.kind} {found.label}")
        messages.success(request, f"Marketing goes on: {found}. What waited for it goes out now.")
        return HttpResponseRedirect(reverse("admin:messaging_sendingdomain_changelist"))


def _may_post(request: HttpRequest) -> None:
    if not request.user.has_perm(CHANGE):
        raise PermissionDenied


def _save(request: HttpRequest, form: DomainForm) -> None:
    if not form.has_changed():
        messages.success(request, "Nothing was changed.")
        return
    domain = form.save()
    audit.note(Actor.of_user(request.user), "domains", domain=domain.name, changed=form.changed_data)
    domains.request(domain)
    messages.success(request, "Saved. DNS is asked again.")


def _is_waiting(domain: SendingDomain) -> bool:
    """Return whether a worker is about to look at it."""
    now = timezone.now()
    return (
        domain.check_at <= now
        and now - domain.check_at < WAITS
        or bool(domain.lease_until and domain.lease_until > now)
    )


def _summary(domain: SendingDomain) -> tuple[str, str]:
    """Return the tone and the words for a domain as a whole."""
    if domain.checked_at is None:
        return "muted", "Not looked at yet"
    if domain.fails:
        return "bad", "Fails: marketing waits"
    states = {one.state for one in domains.findings(domain)}
    worst = next((state for state in ("fail", "warn", "unknown") if state in states), "good")
    return TONES[worst], WORDS[worst]


def rows(sender: str = "") -> list[Row]:
    """Return what mailbox providers made of the mails of the last week. One statement."""
    return [_row(figures) for figures in carrier_counts.by_mailboxes(timezone.now() - WEEK, sender)]


def _row(figures: Mapping[str, Any]) -> Row:
    sent, name = figures["sent"], figures["name"]

    def percent(metric: str) -> float:
        return 100 * figures[metric] / sent if sent else 0.0

    enough = sent >= ENOUGH
    return Row(
        "Everybody else" if name == mailboxes.OTHERS else name,
        sent,
        Share(percent("bounced"), mailboxes.BOUNCES, enough),
        Share(percent("complained"), mailboxes.complaints_at(name), enough),
        percent("unsubscribed"),
    )


def _ages(keys: Mapping[str, str]) -> Sequence[tuple[str, int]]:
    """Return the keys' fingerprints, and for how many days at least each has been there; the oldest first."""
    today = timezone.now().date()
    return sorted(
        ((print_of, (today - date.fromisoformat(day)).days) for print_of, day in keys.items()), key=lambda one: -one[1]
    )
