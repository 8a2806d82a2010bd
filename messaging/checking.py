"""Say what is wrong with a template before anybody is written to."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from events import liquid_engine
from messaging import versions
from messaging.compiling import CONTENT_MARK, SNIPPET
from messaging.errors import TemplateError
from messaging.models import Feed
from messaging.names import ChannelName
from messaging.rendering import FIELDS, escapes

HTTP = re.compile(r"https?://|\{\{|\{%", re.IGNORECASE)


def problems(content: Mapping[str, Any]) -> list[str]:
    """Say what is wrong with ``content`` (as ``versions.content_of`` has it); an empty list means it can be sent."""
    return list(_problems(content))


def _problems(content: Mapping[str, Any]) -> Iterator[str]:
    yield from LACKING.get(content.get("channel", ""), _no_mail)(content)
    for field in ("layout_html", "layout_text"):
        if content.get(field) and not CONTENT_MARK.search(content[field]):
            yield f"{field}: The layout has no {{{{ content }}}}, so the mail would be missing."
    if content.get("markup") == "mjml" and content.get("layout_html"):
        yield "html: A template in MJML is a whole mail and has no layout: choose none."
    faults = list(_faults(content))
    yield from faults
    for language, words in content.get("languages", {}).items():
        for fault in _faults(words):
            yield f"html: in {language}: {fault}"
    if not faults:
        yield from _unknown(content)


def _no_mail(content: Mapping[str, Any]) -> Iterator[str]:
    if not content.get("subject", "").strip():
        yield "subject: A mail needs a subject."
    if not content.get("html", "").strip() and not content.get("text", "").strip():
        yield "html: The mail is empty."


def _no_text(content: Mapping[str, Any]) -> Iterator[str]:
    if not content.get("text", "").strip():
        yield "text: The message is empty."


def _no_title(content: Mapping[str, Any]) -> Iterator[str]:
    if not content.get("subject", "").strip() and not content.get("text", "").strip():
        yield "subject: The message needs a title or a text."


def _no_target(content: Mapping[str, Any]) -> Iterator[str]:
    url = str(content.get("options", {}).get("url", "")).strip()
    if not url:
        yield "url: Which address is to be called?"
    elif not HTTP.match(url):
        yield "url: The address has to begin with https:// or http://."


LACKING = {
    ChannelName.SMS.value: _no_text,
    ChannelName.CHAT.value: _no_text,
    ChannelName.PUSH.value: _no_title,
    ChannelName.IN_APP.value: _no_title,
    ChannelName.WEBHOOK.value: _no_target,
}


def _faults(content: Mapping[str, Any]) -> Iterator[str]:
    """Yield what is not valid Liquid."""
    parts = [(field, content.get(field, ""), escapes(field)) for field in FIELDS]
    parts += [(name, text, False) for name, text in content.get("options", {}).items()]
    for field, text, escape in parts:
        try:
            liquid_engine.parse(text, escape)
        except liquid_engine.Fault as fault:
            yield str(TemplateError(field, fault.line, fault.message))


def _unknown(content: Mapping[str, Any]) -> Iterator[str]:
    """Yield what cannot be put together: snippets and feeds that are not there, MJML and styles that are none."""
    try:
        whole = versions.compiled(dict(content))
    except TemplateError as error:
        yield str(error)
        return
    every = list(versions.texts(whole))
    for name in sorted({name for text in every for name in SNIPPET.findall(text)}):
        yield f"html: There is no snippet “{name}”."
    feeds = whole.get("feeds", [])
    known = set(Feed.objects.filter(slug__in=feeds).values_list("slug", flat=True)) if feeds else set()
    for name in feeds:
        if name not in known:
            yield f"html: There is no feed “{name}”."
    if "compiled" in whole:
        try:
            liquid_engine.parse(whole["compiled"], True)
        except liquid_engine.Fault as fault:
            yield f"html: with snippets and styles in place: {fault.message}"
