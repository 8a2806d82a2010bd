"""Where templates, snippets and feeds are used: nobody changes what others send without being told whose it is."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator

from django.db.models import Q
from django.urls import reverse

from events.segments.usage import Use
from messaging import versions
from messaging.compiling import SNIPPET
from messaging.models import Feed, Layout, Snippet, Template, TemplateTranslation

_finders: list[Callable[[Template], Iterator[Use]]] = []


def register(find: Callable[[Template], Iterator[Use]]) -> None:
    """Ask ``find`` as well where a template is used: this room knows of no campaigns."""
    _finders.append(find)


def of_template(template: Template) -> list[Use]:
    return [use for find in _finders for use in find(template)]


def of_snippet(snippet: Snippet) -> list[Use]:
    """Return the templates and snippets in which a snippet stands."""
    found = _speaking(f"snippets.{snippet.slug}")
    others = Snippet.objects.filter(content__contains=f"snippets.{snippet.slug}").exclude(pk=snippet.pk)
    pattern = re.compile(rf"snippets\.{re.escape(snippet.slug)}(?![\w-])")
    return found + [
        Use("Snippet", other.slug, reverse("admin:messaging_snippet_change", args=[other.pk]))
        for other in others
        if pattern.search(other.content)
    ]


def of_feed(feed: Feed) -> list[Use]:
    """Return the templates that read a feed."""
    return _speaking(f"feeds.{feed.slug}")


def mentioned(templates: Iterable[Template]) -> tuple[set[int], set[int]]:
    """Return the ids of the snippets and of the feeds that templates need, those within snippets as well."""
    snippets = {snippet.slug: snippet for snippet in Snippet.objects.all()}
    every = [text for template in templates for text in versions.texts(versions.content_of(template))]
    needed: set[str] = set()
    while fresh := {name for text in every for name in SNIPPET.findall(text)} & snippets.keys() - needed:
        needed |= fresh
        every += [snippets[slug].content for slug in fresh]
    named = {name for text in every for name in versions.FEED.findall(text)}
    feeds = set(Feed.objects.filter(slug__in=named).values_list("pk", flat=True))
    return {snippets[slug].pk for slug in needed}, feeds


def _speaking(name: str) -> list[Use]:
    """Return the templates, and layouts, that speak of ``name`` in any language. Three statements."""
    asked = Q(*[(f"{field}__contains", name) for field in versions.TRANSLATED], _connector=Q.OR)
    translated = TemplateTranslation.objects.filter(asked).values("template")
    pattern = re.compile(rf"{re.escape(name)}(?![\w-])")
    uses = []
    for template in Template.objects.filter(asked | Q(pk__in=translated)).order_by("name"):
        texts = [getattr(template, field) for field in versions.TRANSLATED]
        texts += [getattr(row, field) for row in template.translations.all() for field in versions.TRANSLATED]
        if any(pattern.search(text) for text in texts):
            uses.append(Use("Template", template.name, reverse("admin:messaging_template_change", args=[template.pk])))
    for layout in Layout.objects.filter(Q(html__contains=name) | Q(text__contains=name)).order_by("name"):
        if pattern.search(layout.html + layout.text):
            uses.append(Use("Layout", layout.name, reverse("admin:messaging_layout_change", args=[layout.pk])))
    return uses
