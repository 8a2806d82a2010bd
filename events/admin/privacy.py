"""A person's rights by hand: a copy of all their data, erase them, ignore whoever was erased from now on.

The pages that erase say what goes and what stays; ``Ignored ids`` is the list of those nobody listens to any more.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django import forms
from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect, StreamingHttpResponse
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils import timezone
from django.utils.text import slugify

from events import audit, people, portrait, privacy, signals, suppression
from events.audit import Actor
from events.models import Event, Profile, SuppressedId

EXPORT, ERASE = "events.export_profile", "events.erase_profile"
MAX_ID = 512
Weight = tuple[str, int]


class IdForm(forms.Form):
    """An id, as an application sends it."""

    value = forms.CharField(label="User id, anonymous id or email", max_length=MAX_ID, strip=True)


def export(request: HttpRequest, profile: Profile) -> StreamingHttpResponse:
    """Hand out everything that is kept about a person, as a file. Raises PermissionDenied."""
    _need(request, EXPORT)
    audit.note(Actor.of_user(request.user), "export", profile.pk)
    name = f"person-{slugify(str(profile))[:40] or profile.pk}-{timezone.now():%Y-%m-%d}.json"
    headers = {"Content-Disposition": f'attachment; filename="{name}"', "Cache-Control": "no-store"}
    return StreamingHttpResponse(portrait.export(profile), content_type="application/json", headers=headers)


def erase(request: HttpRequest, profile: Profile, context: dict[str, Any]) -> HttpResponse:
    """Ask before a person is erased, and with ``ignore`` is ignored from now on; a POST does it."""
    _need(request, ERASE)
    ignore = (request.POST if request.method == "POST" else request.GET).get("ignore") == "1"
    if request.method == "POST":
        return _erase(request, profile, ignore=ignore)
    context |= {
        "title": f"Erase {profile}",
        "profile": profile,
        "ignore": ignore,
        "weights": weights(profile),
        "may_export": request.user.has_perm(EXPORT),
    }
    return TemplateResponse(request, "admin/events/privacy/erase.html", context)


def _erase(request: HttpRequest, profile: Profile, *, ignore: bool) -> HttpResponse:
    erased = privacy.erase([profile.pk], Actor.of_user(request.user), suppress=ignore)
    if not erased.people:
        messages.warning(request, "This person was gone already.")
    else:
        then = " Whatever comes in about them is ignored." if ignore else ""
        messages.success(request, f"Erased, with {_many(erased.events, 'event')}.{then}")
    return HttpResponseRedirect(reverse("admin:events_profile_changelist"))


def ignored(request: HttpRequest, context: dict[str, Any]) -> HttpResponse:
    """Look an id up on the list of ignored ones, put it there or take it off."""
    _need(request, ERASE)
    form = IdForm(request.POST or None)
    context |= {"title": "Ignored ids", "form": form, "count": SuppressedId.objects.count()}
    if form.is_valid():
        value = form.cleaned_data["value"]
        act = {"ignore": _ignore, "hear": _hear}.get(request.POST.get("act", ""))
        if act is not None:
            act(request, value)
            return HttpResponseRedirect(reverse("admin:events_profile_ignored"))
        person = people.by_any(value) or people.by_anonymous_id(value)
        context |= {"value": value, "is_ignored": suppression.is_listed(value), "person": person}
    return TemplateResponse(request, "admin/events/privacy/ignored.html", context)


def _ignore(request: HttpRequest, value: str) -> None:
    erased = privacy.suppress_ids([value], Actor.of_user(request.user))
    gone = f" One person and {_many(erased.events, 'event')} were erased." if erased.people else ""
    messages.success(request, f"Calls about this id are ignored from now on.{gone}")


def _hear(request: HttpRequest, value: str) -> None:
    lifted = privacy.unsuppress_ids([value], Actor.of_user(request.user))
    if lifted:
        messages.success(request, f"Heard again: {_many(lifted, 'id')} of this person.")
    else:
        messages.warning(request, "This id was not on the list.")


def weights(profile: Profile) -> Sequence[Weight]:
    """Return how much an erasure would delete, in every room: (words, count). A handful of statements."""
    found = [
        ("events in their history", Event.objects.filter(profile=profile).count()),
        ("ids that lead to them", profile.identities.count()),
        ("traits", len(profile.traits)),
        ("devices", profile.devices.count()),
        ("companies and other groups they belong to", profile.memberships.count()),
    ]
    rooms: Sequence[tuple[object, Any]] = signals.profiles_weighed.send(sender=weights, profile_id=profile.pk)
    return [*found, *(weight for _, more in rooms for weight in more)]


def _many(count: int, thing: str) -> str:
    return f"{count:,} {thing}{'' if count == 1 else 's'}"


def _need(request: HttpRequest, permission: str) -> None:
    if not request.user.has_perm(permission):
        raise PermissionDenied
