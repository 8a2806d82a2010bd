"""Freeze a template as it is now: what a published campaign sends, whatever is edited afterwards."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from django.db import transaction
from django.db.models import Max

from messaging import compiling
from messaging.errors import TemplateError
from messaging.models import Snippet, Template, TemplateTranslation, TemplateVersion
from messaging.names import ChannelName

Content = dict[str, Any]

FEED = re.compile(r"\bfeeds\.([\w-]+)")
TRANSLATED = ("subject", "preheader", "html", "text")


def content_of(template: Template, translations: Mapping[str, Mapping[str, str]] | None = None) -> Content:
    """Return everything of ``template`` that rendering needs, in the keys of ``TemplateVersion.content``.

    ``translations`` by language are those of a template that is not stored. What is wrong with snippets or MJML is said
    by ``checking.problems``.
    """
    layout = template.layout
    content: Content = {
        "channel": template.channel,
        "subject": template.subject,
        "preheader": template.preheader,
        "html": template.html,
        "text": template.text,
        "layout_html": layout.html if layout else "",
        "layout_text": layout.text if layout else "",
        "from_email": template.from_email,
        "reply_to": template.reply_to,
    }
    if template.markup != Template.Markup.HTML:
        content["markup"] = template.markup
    if template.options:
        content["options"] = dict(template.options)
    languages = _stored(template) if translations is None else translations
    if languages:
        content["languages"] = {
            language: {name: text for name, text in words.items() if text} for language, words in languages.items()
        }
    return content


def compiled(content: Content) -> Content:
    """Return ``content`` with snippets in place and the HTML that is rendered. Raises TemplateError."""
    done = _with_snippets(content)
    for words in (done, *done.get("languages", {}).values()):
        if html := compiling.html_of(done | words):
            words["compiled"] = html
        if words is done or {"html", "text"} & words.keys():
            words["compiled_text"] = compiling.text_of(done | words)
    if feeds := sorted({name for text in texts(done) for name in FEED.findall(text)}):
        done["feeds"] = feeds
    return done


def current(template: Template) -> Content | None:
    """Return the content that freezing ``template`` would keep now; None when it cannot be compiled."""
    try:
        return compiled(content_of(template))
    except TemplateError:
        return None


def texts(content: Mapping[str, Any]) -> Iterator[str]:
    """Yield every text of a version's content, in whatever language."""
    for value in content.values():
        if isinstance(value, str):
            yield value
        elif isinstance(value, Mapping):
            yield from texts(value)


def freeze(template: Template, *, note: str = "", by: str = "") -> TemplateVersion:
    """Return the version that equals ``template``, a new one when there is none, for which its row is locked.

    Raises TemplateError when its MJML or styles cannot be compiled.
    """
    template = Template.objects.select_related("layout").get(pk=template.pk)
    versions = TemplateVersion.objects.filter(template=template)
    if found := versions.filter(content_hash=_digest(template, compiled(content_of(template)))).first():
        return found
    with transaction.atomic():
        template = Template.objects.select_for_update(of=("self",)).select_related("layout").get(pk=template.pk)
        content = compiled(content_of(template))
        digest = _digest(template, content)
        if found := versions.filter(content_hash=digest).first():
            return found
        last = versions.aggregate(last=Max("number"))["last"] or 0
        return TemplateVersion.objects.create(
            template=template,
            number=last + 1,
            purpose=template.purpose,
            topic_id=template.topic_id,
            provider_id=template.provider_id,
            content=content,
            content_hash=digest,
            note=note,
            created_by=by,
        )


def _stored(template: Template) -> dict[str, dict[str, str]]:
    if not template.pk or template.channel in (ChannelName.WEBHOOK, ChannelName.CHAT):
        return {}
    rows = TemplateTranslation.objects.filter(template_id=template.pk).values("language", *TRANSLATED)
    return {row.pop("language"): row for row in rows}


def _with_snippets(content: Content) -> Content:
    """Return a copy of ``content`` with its snippets in place. One statement, none where there are no snippets."""
    if not any(compiling.SNIPPET.search(text) for text in texts(content)):
        same: Content = _mapped(content, str)
        return same
    snippets = dict(Snippet.objects.values_list("slug", "content"))
    try:
        expanded: Content = _mapped(content, lambda text: compiling.expand(text, snippets))
    except ValueError as error:
        raise TemplateError("html", 0, str(error)) from error
    return expanded


def _mapped(value: Any, change: Callable[[str], str]) -> Any:
    if isinstance(value, str):
        return change(value)
    if isinstance(value, Mapping):
        return {key: _mapped(inner, change) for key, inner in value.items()}
    return value


def _digest(template: Template, content: Content) -> str:
    parts: list[object] = [content, template.purpose, template.provider_id]
    if template.topic_id:
        parts.append(template.topic_id)
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()
