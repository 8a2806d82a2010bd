"""Turn a template's content and what is known about a person into a message."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from html import escape, unescape
from typing import Any

from liquid import Markup

from events import liquid_engine
from messaging.compiling import BEGIN, END, to_text
from messaging.errors import TemplateError
from messaging.names import ChannelName

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
# What no mail program shows.
HIDDEN = re.compile(r"<!--.*?-->|<(style|script|head|title|template)\b.*?</\1\s*>", re.IGNORECASE | re.DOTALL)
HREF = re.compile(r"""<a\b[^>]*?\shref\s*=\s*(?:"([^"]*)"|'([^']*)')""", re.IGNORECASE)
BLANK_LINES = re.compile(r"\n\s*\n\s*\n+")


@dataclass(frozen=True, slots=True)
class Rendered:
    """A finished message. ``missing`` names the variables that should have been written but were not there.

    Of other channels than email ``subject`` is the title, and ``options`` what the channel has besides.
    """

    subject: str
    preheader: str
    html: str
    text: str
    missing: tuple[str, ...] = ()
    options: Mapping[str, str] = field(default_factory=dict)


# Who reads a template in another language than theirs reads its dates in English, too.
OWN_LANGUAGE = "en"


def localised(content: Mapping[str, Any], language: str) -> Mapping[str, Any]:
    """Return ``content`` in ``language``: for ``de-AT`` what is there in it, else in ``de``, else as it was written."""
    languages = content.get("languages")
    if not languages or not language:
        return content
    wanted = language.strip().lower().replace("_", "-")
    for name in (wanted, wanted.partition("-")[0]):
        if languages.get(name):
            return {**content, **languages[name], "language": name}
    return {**content, "language": OWN_LANGUAGE}


def render(content: Mapping[str, Any], variables: Mapping[str, object], *, unsubscribe_link: bool = False) -> Rendered:
    """Render ``content`` (the keys of ``TemplateVersion.content``) with ``variables``.

    With ``unsubscribe_link`` a mail that shows no link to ``variables["unsubscribe_url"]`` gets one at its end, and so
    does one that shows no ``variables["postal_address"]``, where there is any.
    Missing variables are empty. Raises TemplateError; a hostile template does so within about a second.
    """
    if content.get("language"):
        variables = {**variables, "language": content["language"]}
    if content.get("channel", ChannelName.EMAIL) != ChannelName.EMAIL:
        return _plain(content, variables)
    missing: dict[str, None] = {}
    subject = " ".join(_run("subject", content, variables, missing).split())[:MAX_SUBJECT]
    preheader = " ".join(_run("preheader", content, variables, missing).split())
    inner, html = _html(content, variables, missing)
    text = _text_part(content, variables, missing, inner, html)
    url = str(variables.get("unsubscribe_url") or "")
    if unsubscribe_link and html and url and not _links_to(url, html):
        html = _before_end(html, FOOTER_HTML.format(url=escape(url)))
    if url and url not in text and (unsubscribe_link or _links_to(url, html)):
        text = text.rstrip() + FOOTER_TEXT.format(url=url)
    if unsubscribe_link:
        html, text = _addressed(html, text, str(variables.get("postal_address") or ""))
    return Rendered(subject, preheader, _with_preheader(html, preheader), text, tuple(missing))


def escapes(name: str) -> bool:
    """Return whether what is written into a field of a template is HTML, where < is not what it seems."""
    return name in ("html", "compiled", "layout_html")


def _run(name: str, content: Mapping[str, Any], variables: Mapping[str, object], missing: dict[str, None]) -> str:
    source = content.get(name) or ""
    try:
        # NUL has no place in a mail, and no database stores it.
        return liquid_engine.run(source, variables, missing, escape=escapes(name)).replace("\0", "") if source else ""
    except liquid_engine.Fault as fault:
        raise TemplateError("html" if name.startswith("compiled") else name, fault.line, fault.message) from fault


def _html(content: Mapping[str, Any], variables: Mapping[str, object], missing: dict[str, None]) -> tuple[str, str]:
    """Return the HTML within the layout, and with it."""
    if content.get("compiled"):
        html = _run("compiled", content, variables, missing)
        before, begun, rest = html.partition(BEGIN)
        inner, _, after = rest.partition(END)
        return (inner, before + inner + after) if begun else (html, html)
    inner = _run("html", content, variables, missing)
    if not content.get("layout_html"):
        return inner, inner
    return inner, _run("layout_html", content, {**variables, "content": Markup(inner)}, missing)


def _plain(content: Mapping[str, Any], variables: Mapping[str, object]) -> Rendered:
    """Render what no mail program shows: a title, a text, and what else the channel has."""
    missing: dict[str, None] = {}
    title = " ".join(_run("subject", content, variables, missing).split())[:MAX_SUBJECT]
    text = _run("text", content, variables, missing)
    written = content.get("options") or {}
    options = {name: _run(name, written, variables, missing).strip() for name in written}
    if content["channel"] == ChannelName.WEBHOOK and text.strip():
        try:
            json.loads(text)
        except ValueError as error:
            raise TemplateError(
                "text", getattr(error, "lineno", 0), f"what is called with is no JSON: {error}"
            ) from error
    return Rendered(title, "", "", text.strip(), tuple(missing), options)


def _text_part(
    content: Mapping[str, Any],
    variables: Mapping[str, object],
    missing: dict[str, None],
    inner: str,
    html: str,
) -> str:
    """Return the author's text, else one made from the HTML, within the layout's text where it has one."""
    written, frame = content.get("text"), content.get("layout_text")
    if not written and content.get("compiled_text"):
        # What the text lacks, the HTML has told of.
        text = BLANK_LINES.sub("\n\n", _run("compiled_text", content, variables, {})).strip() + "\n"
    else:
        text = _run("text", content, variables, missing) if written else to_text(inner if frame else html)
    return _run("layout_text", content, {**variables, "content": text}, missing) if frame else text


def _links_to(url: str, html: str) -> bool:
    """Return whether a reader of ``html`` can follow a link to ``url``: not one in a comment, nor a bare address."""
    if url not in html and escape(url) not in html:
        return False
    shown = HIDDEN.sub("", html)
    return any(unescape(match[1] or match[2]).strip() == url for match in HREF.finditer(shown))


def shows_link(url: str, html: str, text: str) -> bool:
    """Return whether each part of a mail that there is leads to ``url``."""
    return bool(url and (html or text)) and (not html or _links_to(url, html)) and (not text or url in text)


def shows_address(address: str, html: str, text: str) -> bool:
    """Return whether each part of a mail that there is shows every line of the sender's postal address."""
    lines = _lines(address)
    shown = HIDDEN.sub("", html)
    return (
        bool(lines)
        and (not html or all(escape(line) in shown for line in lines))
        and (not text or all(line in text for line in lines))
    )


def _lines(address: str) -> list[str]:
    return [line.strip() for line in address.split("\n") if line.strip()]


def _addressed(html: str, text: str, postal: str) -> tuple[str, str]:
    """Put the sender's postal address at the end of what does not show it."""
    address = _lines(postal)
    if not address:
        return html, text
    shown = "<br>".join(map(escape, address))
    if html and not shows_address(postal, html, ""):
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
