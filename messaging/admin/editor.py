"""The live preview beside the template and layout editors, with a chosen person and one of their events."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, JsonResponse, QueryDict
from django.shortcuts import render
from django.utils import timezone
from django.views.decorators.http import require_POST

from events import groups as belonging
from events import liquid_engine, vocabulary
from events.models import Event, Profile
from messaging import checking, link_check, linting, segments, variables
from messaging import preview as previews
from messaging.admin import frames, insertable, people, unsaved
from messaging.errors import SendError, TemplateError
from messaging.models import Feed, Purpose, Snippet, Template
from messaging.names import ChannelName
from messaging.rendering import Rendered
from messaging.versions import content_of

VIEW_PEOPLE = "events.view_profile"

MOST_WORDS = 300
FIELD_NAMES = {
    "url": "Address",
    "subject": "Subject",
    "preheader": "Pre-header",
    "html": "HTML",
    "text": "Text",
    "layout_html": "The layout's HTML",
    "layout_text": "The layout's text",
}
PROBLEM = re.compile(r"(?P<field>\w+)(?:, line (?P<line>\d+))?: (?P<text>.*)", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Note:
    """Something to tell the author. ``field`` is the form field it is about, ``line`` counts from 1 (0: none)."""

    tone: str
    text: str
    field: str = ""
    line: int = 0
    place: str = ""


def stranger() -> Profile:
    """Return a made-up person, for installations without people and for users who may not see any."""
    traits = {"first_name": "Ada", "last_name": "Example", "email": "ada@example.com", "plan": "pro"}
    return Profile(user_id="ada", email="ada@example.com", traits=traits, created_at=timezone.now())


def chosen(request: HttpRequest, values: QueryDict) -> tuple[Profile, Event | None]:
    """Return the person and the event that ``values`` name (``profile``, ``event``), else somebody suitable."""
    if not request.user.has_perm(VIEW_PEOPLE):
        return stranger(), None
    wanted = values.get("profile", "")
    profile = Profile.objects.filter(pk=int(wanted)).first() if wanted.isdecimal() else None
    profile = profile or people.newest()
    if profile is None:
        return stranger(), None
    event = values.get("event", "")
    if not event.isdecimal():
        return profile, None
    return profile, Event.objects.filter(profile=profile, pk=int(event)).first()


def choice(request: HttpRequest) -> HttpResponse:
    """Show who and what the preview is made with; an unnamed event becomes the person's newest one."""
    require(request, "messaging.view_template", "messaging.view_layout")
    response = render(request, "admin/messaging/editor/choice.html", choice_context(request, request.GET))
    response["HX-Trigger-After-Settle"] = "cbm:preview"
    return response


def choice_context(request: HttpRequest, values: QueryDict) -> dict[str, Any]:
    """Return the context of ``editor/choice.html``: person, events, and the variables they offer."""
    profile, event = chosen(request, values)
    named = values.get("named", "").strip()[:200]
    events = people.recent_events(profile, named) if profile.pk else []
    if named and event and not event.name.lower().startswith(named.lower()):
        event = events[0] if events else None
    if event is None and "event" not in values:
        event = events[0] if events else None
    if event and event.pk not in {known.pk for known in events}:
        events = [event, *events]
    groups = [insertable.group("About the event", "trigger", event.properties)] if event else []
    groups.append(insertable.group("About the person", "customer", variables.customer(profile)))
    belongs_to = belonging.of_people([profile.pk]).get(profile.pk, []) if profile.pk else []
    if company := variables.company(belongs_to):
        groups.append(insertable.group("About the person’s company", "company", company))
    groups.append(insertable.always())
    return {
        "profile": profile,
        "event": event,
        "events": events,
        "named": named,
        "groups": groups,
        "may_choose": request.user.has_perm(VIEW_PEOPLE),
    }


def found_people(request: HttpRequest) -> HttpResponse:
    """List people whose user id or email begins with ``?q=``."""
    require(request, VIEW_PEOPLE)
    found = people.beginning_with(request.GET.get("q", ""))
    return render(request, "admin/messaging/editor/people.html", {"people": found, "q": request.GET.get("q", "")})


@require_POST
def preview_template(request: HttpRequest) -> HttpResponse:
    """Show the template editor's unsaved content as a mail."""
    require(request, "messaging.view_template")
    return _preview(request, unsaved.template(request.POST), unsaved.translations(request.POST))


@require_POST
def preview_layout(request: HttpRequest) -> HttpResponse:
    """Show the layout editor's unsaved content around a template, or around a sample."""
    require(request, "messaging.view_layout")
    wanted = request.POST.get("within", "")
    inside = Template.objects.filter(pk=int(wanted)).first() if wanted.isdecimal() else None
    return _preview(request, unsaved.in_layout(request.POST, inside or unsaved.SAMPLE))


def _preview(
    request: HttpRequest, template: Template, translations: dict[str, dict[str, str]] | None = None
) -> HttpResponse:
    profile, event = chosen(request, request.POST)
    language = request.POST.get("language", "*")
    wanted = Wanted(template, profile, event, translations or {}, None if language == "*" else language)
    rendered, notes = _try_out(wanted)
    context: dict[str, Any] = {"rendered": rendered, "notes": notes, "channel": template.channel}
    if rendered and rendered.html:
        context |= {
            "frame": frames.document(rendered.html),
            "dark": frames.document(rendered.html, dark=True),
            "bare": frames.document(rendered.html, pictures=False),
            "size": len(rendered.html.encode()),
        }
    if rendered and template.channel == ChannelName.SMS:
        context["segments"] = segments.count(rendered.text)
    response = render(request, "admin/messaging/editor/result.html", context)
    if rendered is None:
        # The last good preview stays, so that the author sees both the error and where it was.
        response["HX-Retarget"], response["HX-Reswap"] = "#cbm-notes", "outerHTML"
    return response


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is looked at, for whom, and in which language (None: the person's)."""

    template: Template
    profile: Profile
    event: Event | None
    translations: dict[str, dict[str, str]]
    language: str | None


def _try_out(wanted: Wanted) -> tuple[Rendered | None, list[Note]]:
    """Return the mail, None when there is none, and what to tell its author."""
    template = wanted.template
    content = content_of(template, wanted.translations)
    if not any(content[name] for name in ("subject", "html", "text")) and not content.get("options"):
        return None, [Note("info", "Begin to write: the preview follows.")]
    notes = [problem_note(problem) for problem in checking.problems(content)]
    try:
        rendered = previews.preview(template, wanted.profile, wanted.event, wanted.translations, wanted.language)
    except TemplateError as error:
        note = problem_note(str(error))
        return None, [note, *(other for other in notes if other != note)]
    except SendError as error:
        return None, [Note("bad", str(error)), *notes]
    notes += [Note("warn", f"{name} is missing: nothing is written there.") for name in rendered.missing]
    notes += [
        Note("warn", f"It {lack.words}. {lack.advice}")
        for lack in linting.lacking(content, wanted.event.name if wanted.event else "")
        if lack.path not in rendered.missing
    ]
    notes += [Note("info", text) for text in linting.of_mail(rendered)]
    return rendered, notes + _unsubscribe_note(template, content)


@require_POST
def check_links(request: HttpRequest) -> HttpResponse:
    """Follow the links of the unsaved mail, and say which of them lead nowhere."""
    require(request, "messaging.view_template")
    template = unsaved.template(request.POST)
    profile, event = chosen(request, request.POST)
    try:
        rendered = previews.preview(template, profile, event, unsaved.translations(request.POST))
    except (TemplateError, SendError) as error:
        return render(request, "admin/messaging/editor/links.html", {"error": str(error)})
    found = link_check.check(linting.links(rendered.html))
    return render(request, "admin/messaging/editor/links.html", {"links": found})


def words(request: HttpRequest) -> JsonResponse:
    """Return what can be completed while somebody writes: names of the catalogue, filters, snippets and feeds."""
    require(request, "messaging.view_template", "messaging.view_layout")
    event = request.GET.get("event", "")
    known = vocabulary.words("property", vocabulary.About(event=event))
    return JsonResponse(
        {
            "trait": [[word.value, word.seen] for word in vocabulary.words("trait")[:MOST_WORDS]],
            "property": [[word.value, word.seen] for word in known[:MOST_WORDS]],
            "filter": liquid_engine.filter_names(),
            "tag": liquid_engine.tag_names(),
            "snippet": list(Snippet.objects.values_list("slug", flat=True)[:MOST_WORDS]),
            "feed": list(Feed.objects.values_list("slug", flat=True)[:MOST_WORDS]),
        }
    )


def problem_note(problem: str) -> Note:
    """Turn "html, line 3: …" into a note that knows its field."""
    match = PROBLEM.fullmatch(problem)
    if not match or match["field"] not in FIELD_NAMES:
        return Note("bad", problem)
    line = int(match["line"] or 0)
    place = FIELD_NAMES[match["field"]] + (f", line {line}" if line else "")
    return Note("bad", match["text"], match["field"], line, place)


def _unsubscribe_note(template: Template, content: dict[str, str]) -> list[Note]:
    shown = "unsubscribe_url" in content["html"] + content["layout_html"]
    if template.purpose != Purpose.MARKETING or shown or template.channel != ChannelName.EMAIL:
        return []
    text = (
        "This marketing mail has no unsubscribe link of its own, so a plain one is put at its end. "
        "To place it yourself, insert {{ unsubscribe_url }}."
    )
    return [Note("warn", text)]


def require(request: HttpRequest, *permissions: str) -> None:
    """Raise PermissionDenied unless the user has one of ``permissions``."""
    if not any(request.user.has_perm(permission) for permission in permissions):
        raise PermissionDenied
