"""Turn a template's content and what is known about a person into a mail."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from html import escape

from inscriptis import get_text
from inscriptis.model.config import ParserConfig
from liquid import Markup
from lxml.etree import LxmlError

from events import liquid_engine
from messaging.errors import TemplateError

FIELDS = ("subject", "preheader", "html", "text", "layout_html", "layout_text")
# No mail program shows more of a subject, and some servers refuse longer lines.
MAX_SUBJECT = 500

# Inboxes fill the rest of the preview line with the mail's first words unless something invisible stands there.
PREHEADER = (
    '<div style="display:none;max-height:0;max-width:0;overflow:hidden;opacity:0;mso-hide:all" aria-hidden="true">'
    "{text}" + "&#847;&zwnj;&nbsp;" * 60 + "</div>"
)
FOOTER_HTML = (
    '<p style="margin:24px 0 0;text-align:center;font:12px/1.5 sans-serif;color:#666">'
    '<a href="{url}" style="color:#666">Unsubscribe</a></p>'
)
ADDRESS_HTML = '<p style="margin:8px 0 0;text-align:center;font:12px/1.5 sans-serif;color:#666">{address}</p>'
FOOTER_TEXT = "\n\nUnsubscribe: {url}\n"

BODY_OPENS = re.compile(r"<body\b[^>]*>", re.IGNORECASE)
BODY_CLOSES = re.compile(r"</body\s*>", re.IGNORECASE)
CONTENT_MARK = re.compile(r"\{\{-?\s*content\s*(\|[^}]*)?-?\}\}")
LINKS = ParserConfig(display_links=True)


@dataclass(frozen=True, slots=True)
class Rendered:
    """A finished mail. ``missing`` names the variables that should have been written but were not there."""

    subject: str
    preheader: str
    html: str
    text: str
    missing: tuple[str, ...] = ()


def render(content: Mapping[str, str], variables: Mapping[str, object], *, unsubscribe_link: bool = False) -> Rendered:
    """Render ``content`` (the keys of ``TemplateVersion.content``) with ``variables``.

    With ``unsubscribe_link`` a mail that shows no link to ``variables["unsubscribe_url"]`` gets one at its end, and so
    does one that shows no ``variables["postal_address"]``, where there is any.
    Missing variables are empty. Raises TemplateError; a hostile template does so within about a second.
    """
    missing: dict[str, None] = {}
    subject = " ".join(_run("subject", content, variables, missing).split())[:MAX_SUBJECT]
    preheader = " ".join(_run("preheader", content, variables, missing).split())
    inner = _run("html", content, variables, missing)
    html = inner
    if content.get("layout_html"):
        html = _run("layout_html", content, {**variables, "content": Markup(inner)}, missing)
    text = _text_part(content, variables, missing, inner, html)
    url = str(variables.get("unsubscribe_url") or "")
    if unsubscribe_link and html and url and not _links_to(url, html):
        html = _before_end(html, FOOTER_HTML.format(url=escape(url)))
    if url and url not in text and (unsubscribe_link or _links_to(url, html)):
        text = text.rstrip() + FOOTER_TEXT.format(url=url)
    if unsubscribe_link:
        html, text = _addressed(html, text, str(variables.get("postal_address") or "").split("\n"))
    return Rendered(subject, preheader, _with_preheader(html, preheader), text, tuple(missing))


def problems(content: Mapping[str, str]) -> list[str]:
    """Say what is wrong with ``content`` before anybody is written to; an empty list means it can be sent."""
    return list(_problems(content))


def _problems(content: Mapping[str, str]) -> Iterator[str]:
    if not content.get("subject", "").strip():
        yield "subject: A mail needs a subject."
    if not content.get("html", "").strip() and not content.get("text", "").strip():
        yield "html: The mail is empty."
    for field in ("layout_html", "layout_text"):
        if content.get(field) and not CONTENT_MARK.search(content[field]):
            yield f"{field}: The layout has no {{{{ content }}}}, so the mail would be missing."
    for field in FIELDS:
        try:
            liquid_engine.parse(content.get(field, ""), _escapes(field))
        except liquid_engine.Fault as fault:
            yield str(TemplateError(field, fault.line, fault.message))


def _escapes(field: str) -> bool:
    return field in ("html", "layout_html")


def _run(field: str, content: Mapping[str, str], variables: Mapping[str, object], missing: dict[str, None]) -> str:
    source = content.get(field) or ""
    try:
        # NUL has no place in a mail, and no database stores it.
        return liquid_engine.run(source, variables, missing, escape=_escapes(field)).replace("\0", "") if source else ""
    except liquid_engine.Fault as fault:
        raise TemplateError(field, fault.line, fault.message) from fault


def _text_part(
    content: Mapping[str, str],
    variables: Mapping[str, object],
    missing: dict[str, None],
    inner: str,
    html: str,
) -> str:
    """Return the author's text, else one made from the HTML, within the layout's text where it has one."""
    written, frame = content.get("text"), content.get("layout_text")
    text = _run("text", content, variables, missing) if written else _to_text(inner if frame else html)
    return _run("layout_text", content, {**variables, "content": text}, missing) if frame else text


def _to_text(html: str) -> str:
    if not html.strip():
        return ""
    try:
        lines = [line.rstrip() for line in get_text(html, LINKS).splitlines()]
    except LxmlError as error:
        raise TemplateError("html", 0, f"no text part can be made from this HTML: {error}") from error
    return re.sub(r"\n{3,}", "\n\n", "\n".join(lines)).strip() + "\n"


def _links_to(url: str, html: str) -> bool:
    return url in html or escape(url) in html


def _addressed(html: str, text: str, lines: Sequence[str]) -> tuple[str, str]:
    """Put the sender's postal address at the end of what does not show it."""
    address = [line.strip() for line in lines if line.strip()]
    if not address:
        return html, text
    shown = "<br>".join(map(escape, address))
    if html and not all(escape(line) in html for line in address):
        html = _before_end(html, ADDRESS_HTML.format(address=shown))
    if not all(line in text for line in address):
        text = text.rstrip() + "\n\n" + "\n".join(address) + "\n"
    return html, text


def _with_preheader(html: str, preheader: str) -> str:
    if not preheader or not html:
        return html
    block = PREHEADER.format(text=escape(preheader))
    opened = BODY_OPENS.search(html)
    at = opened.end() if opened else 0
    return html[:at] + block + html[at:]


def _before_end(html: str, block: str) -> str:
    closed = BODY_CLOSES.search(html)
    at = closed.start() if closed else len(html)
    return html[:at] + block + html[at:]
