"""The page "Check set-up": choose a person, act in the application, and watch the four checks turn green."""

from __future__ import annotations

import hashlib
from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import get_object_or_404
from django.template.loader import render_to_string
from django.utils import timezone

from campaigns.admin import checks, page, people
from campaigns.models import Campaign
from events import testers
from events.models import Profile

# The people chosen last, newest first, by profile id.
SESSION_KEY = "check_people"
REMEMBERED = 5
CHANGE_PROFILE = "events.change_profile"


def show(request: HttpRequest, campaign: Campaign) -> HttpResponse:
    """Show the page (GET), or only the checklist for the poll: 204 when it is what ``?seen=`` names."""
    wanted = request.GET.get("person", "").strip()
    matches = _named(request) or (people.find(wanted) if wanted else [])
    if len(matches) == 1:
        _remember(request, matches[0])
        return HttpResponseRedirect(page.url("check", campaign))
    profile = _chosen(request)
    checklist, seen = _checklist(request, campaign, profile)
    if request.headers.get("HX-Request"):
        unchanged = request.GET.get("seen") == seen
        return HttpResponse(status=204) if unchanged else HttpResponse(checklist)
    context = {
        "profile": profile,
        "checklist": checklist,
        "wanted": wanted,
        "matches": matches,
        "recent": _recent(request),
        "here": page.url("check", campaign),
        "poll_url": page.url("check", campaign),
        "test_url": page.url("check_test", campaign),
        "may_switch": request.user.has_perm(CHANGE_PROFILE),
    }
    return page.render_tab(request, campaign, "check", context)


def set_test(request: HttpRequest, campaign: Campaign) -> HttpResponse:
    """Make the chosen person a test person, or an ordinary one."""
    profile = get_object_or_404(Profile, pk=request.POST.get("profile") or 0)
    wanted = request.POST.get("is_test") == "1"
    testers.switch([profile.pk], wanted)
    messages.success(
        request, f"{profile} is a test person now." if wanted else f"{profile} is an ordinary person again."
    )
    return HttpResponseRedirect(page.url("check", campaign))


def _checklist(request: HttpRequest, campaign: Campaign, profile: Profile | None) -> tuple[str, str]:
    """Return the checklist as HTML, and what names this very state of it."""
    if profile is None:
        return "", ""
    found = checks.checks(checks.Case(campaign, profile, timezone.now()))
    done = sum(check.state == checks.DONE for check in found)
    context: dict[str, Any] = {
        "checks": found,
        "done": done,
        "here": page.url("check", campaign),
        "can_act": request.user.has_perm("campaigns.change_journey"),
    }
    html = render_to_string("admin/campaigns/checklist.html", context, request)
    seen = hashlib.sha256(html.encode()).hexdigest()[:16]
    return html.replace("__SEEN__", seen), seen


def _named(request: HttpRequest) -> list[Profile]:
    """Return the person that ``?profile=`` names."""
    number = request.GET.get("profile", "")
    return list(Profile.objects.filter(pk=number)) if number.isascii() and number.isdigit() else []


def _remember(request: HttpRequest, profile: Profile) -> None:
    ids = [pk for pk in request.session.get(SESSION_KEY, []) if pk != profile.pk]
    request.session[SESSION_KEY] = [profile.pk, *ids][:REMEMBERED]


def _chosen(request: HttpRequest) -> Profile | None:
    ids = request.session.get(SESSION_KEY, [])
    return Profile.objects.filter(pk=ids[0]).first() if ids else None


def _recent(request: HttpRequest) -> list[Profile]:
    ids = request.session.get(SESSION_KEY, [])[1:]
    found = Profile.objects.in_bulk(ids)
    return [found[pk] for pk in ids if pk in found]
