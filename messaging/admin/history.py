"""The versions of a template: what was frozen when, what has changed since, and back to an earlier one."""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from django.contrib import admin, messages
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import get_object_or_404
from django.template.response import TemplateResponse
from django.urls import reverse
from django.views.decorators.http import require_POST

from messaging.admin import editor, journal
from messaging.admin.template_versions import TITLES
from messaging.errors import TemplateError
from messaging.models import Template, TemplateTranslation, TemplateVersion
from messaging.versions import TRANSLATED, Content, content_of, freeze

SHOWN = 50
CONTEXT = 2
# What a template has of its own; the layout is kept apart, and snippets stand in place in a version.
OWN = ("subject", "preheader", "html", "text", "from_email", "reply_to")


@dataclass(frozen=True, slots=True)
class Part:
    """What changed in one part: lines with ``+``, ``-`` or a blank before each."""

    title: str
    lines: list[tuple[str, str]]


def page(request: HttpRequest, template_id: int) -> HttpResponse:
    """Show the versions, and what one of them (``?number=``, else the newest) has otherwise than the template now; a
    POST keeps the template as it is as a version."""
    editor.require(request, "messaging.view_template")
    template = get_object_or_404(Template.objects.select_related("layout"), pk=template_id)
    if request.method == "POST":
        return _keep(request, template)
    versions = list(template.versions.order_by("-number")[:SHOWN])
    wanted = request.GET.get("number", "")
    chosen = next((each for each in versions if str(each.number) == wanted), versions[0] if versions else None)
    context = {
        **admin.site.each_context(request),
        "title": f"Versions of {template}",
        "opts": Template._meta,
        "original": template,
        "template": template,
        "versions": versions,
        "chosen": chosen,
        "parts": list(differences(chosen.content, content_of(template))) if chosen else [],
        "may_change": request.user.has_perm("messaging.change_template"),
    }
    return TemplateResponse(request, "admin/messaging/template/versions.html", context)


@require_POST
def restore(request: HttpRequest, template_id: int, number: int) -> HttpResponse:
    """Write an earlier version's words back into the template; what is published stays as it is."""
    editor.require(request, "messaging.change_template")
    template = get_object_or_404(Template.objects.select_related("layout"), pk=template_id)
    version = get_object_or_404(TemplateVersion, template=template, number=number)
    freeze_if_possible(template, request)
    write_back(template, version.content)
    journal.note(request, template, f"Went back to version {number}.")
    messages.success(request, f"The template says again what version {number} said. What is published stays as it is.")
    return HttpResponseRedirect(reverse("admin:messaging_template_change", args=[template_id]))


def write_back(template: Template, content: Content) -> None:
    """Store the words of ``content`` in ``template``, in all languages."""
    for name in OWN:
        setattr(template, name, content.get(name, ""))
    template.markup = content.get("markup", Template.Markup.HTML)
    template.options = content.get("options", {})
    template.save()
    TemplateTranslation.objects.filter(template=template).delete()
    for language, words in content.get("languages", {}).items():
        texts = {name: words.get(name, "") for name in TRANSLATED}
        TemplateTranslation.objects.create(template=template, language=language, **texts)


def differences(before: Mapping[str, Any], after: Mapping[str, Any]) -> Iterator[Part]:
    """Yield what changed from one content to another, part by part, in every language."""
    old, new = _parts(before), _parts(after)
    for title in [*old, *(title for title in new if title not in old)]:
        if old.get(title, "") != new.get(title, ""):
            yield Part(title, list(_lines(old.get(title, ""), new.get(title, ""))))


def freeze_if_possible(template: Template, request: HttpRequest) -> None:
    """Keep what would be overwritten as a version, unless it is nothing that could be sent."""
    try:
        freeze(template, by=request.user.get_username())
    except TemplateError:
        messages.warning(request, "What stood there before could not be kept as a version: it was not valid.")


def _keep(request: HttpRequest, template: Template) -> HttpResponse:
    editor.require(request, "messaging.change_template")
    note = request.POST.get("note", "").strip()[:500]
    try:
        version = freeze(template, note=note, by=request.user.get_username())
    except TemplateError as error:
        messages.error(request, f"It cannot be kept as it is: {error}")
    else:
        messages.success(request, f"Kept as version {version.number}.")
    return HttpResponseRedirect(reverse("admin:messaging_template_versions", args=[template.pk]))


def _parts(content: Mapping[str, Any]) -> dict[str, str]:
    found = {title: str(content.get(key, "")) for key, title in TITLES.items()}
    found |= {f"Option {name}": text for name, text in content.get("options", {}).items()}
    for language, words in content.get("languages", {}).items():
        found |= {f"{TITLES[name]} in {language}": words[name] for name in TRANSLATED if words.get(name)}
    return {title: text for title, text in found.items() if text}


def _lines(before: str, after: str) -> Iterator[tuple[str, str]]:
    for line in difflib.unified_diff(before.splitlines(), after.splitlines(), n=CONTEXT, lineterm=""):
        if line.startswith(("---", "+++")):
            continue
        yield ("…", "") if line.startswith("@@") else (line[:1], line[1:])
