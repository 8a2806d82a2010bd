"""Merge two people by hand: find the other one, see both side by side, choose who stays."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import reverse

from events.audit import Actor
from events.merging import CannotMerge, merge_people
from events.models import Profile
from events.searching import found_by

CANDIDATES = 20


@dataclass(frozen=True, slots=True)
class Line:
    """One thing that is known of either; None where nothing is. ``differs`` where who stays decides."""

    name: str
    values: tuple[Any, Any]

    @property
    def differs(self) -> bool:
        return None not in self.values and self.values[0] != self.values[1]


def show(request: HttpRequest, profile: Profile, context: dict[str, Any]) -> HttpResponse:
    """Search with ``?find=``, compare with ``?other=``; a POST merges."""
    other = _other(request, profile)
    if request.method == "POST" and other is not None:
        return _merge(request, profile, other)
    term = request.GET.get("find", "")
    candidates = found_by(Profile.objects.exclude(pk=profile.pk), term).order_by("-pk")[:CANDIDATES] if term else []
    context |= {
        "title": f"Merge {profile} with another person",
        "profile": profile,
        "other": other,
        "both": (profile, other),
        "lines": lines((profile, other)) if other else [],
        "term": term,
        "candidates": list(candidates),
    }
    return TemplateResponse(request, "admin/events/merge.html", context)


def lines(both: Sequence[Profile]) -> list[Line]:
    """Set what is known of one beside what is known of the other."""
    first, second = both
    columns = {"User id": "user_id", "Email": "email", "Phone": "phone", "Time zone": "time_zone"}
    known = [
        Line(label, (getattr(first, name) or None, getattr(second, name) or None)) for label, name in columns.items()
    ]
    # A trait that only repeats a column would say the same twice.
    names = sorted((first.traits.keys() | second.traits.keys()) - set(columns.values()))
    known += [Line(name, (first.traits.get(name), second.traits.get(name))) for name in names]
    return [line for line in known if line.values != (None, None)]


def _other(request: HttpRequest, profile: Profile) -> Profile | None:
    text = (request.POST if request.method == "POST" else request.GET).get("other", "")
    if not (text.isascii() and text.isdigit() and len(text) < 19):
        return None
    return Profile.objects.filter(pk=int(text)).exclude(pk=profile.pk).first()


def _merge(request: HttpRequest, profile: Profile, other: Profile) -> HttpResponse:
    stays, goes = (other, profile) if request.POST.get("stays") == str(other.pk) else (profile, other)
    try:
        merge_people(goes.pk, stays.pk, Actor.of_user(request.user))
    except CannotMerge as error:
        messages.error(request, f"Nothing was changed. {error}")
        return HttpResponseRedirect(request.path)
    messages.success(request, f"{goes} and {stays} are one person now.")
    return HttpResponseRedirect(reverse("admin:events_profile_change", args=[stays.pk]))
