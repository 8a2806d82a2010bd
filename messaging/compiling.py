"""From what an author writes to what is rendered: snippets put in place, MJML made HTML, styles put into the tags.

All of it happens once, when a version is frozen, and with the Liquid still in it: what parses HTML would move loops out
of tables, so tags of Liquid are shielded while it works.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import cache

import css_inline
import mrml
from inscriptis import get_text
from inscriptis.model.config import ParserConfig
from lxml.etree import LxmlError

from messaging.errors import TemplateError

SNIPPET = re.compile(r"\{\{-?\s*snippets\.([\w-]+)\s*-?\}\}")
# Snippets may stand in snippets, so deep.
MAX_DEPTH = 5
MAX_EXPANDED = 250_000
CONTENT_MARK = re.compile(r"\{\{-?\s*content\s*(\|[^}]*)?-?\}\}")
# Where the template stands in its layout, once both are one.
BEGIN, END = "<!--cuebird:content-->", "<!--/cuebird:content-->"

LIQUID = re.compile(r"\{%-?\s*raw\s*-?%\}.*?\{%-?\s*endraw\s*-?%\}|\{\{.*?\}\}|\{%.*?%\}", re.DOTALL)
# Where a comment may stand in for a tag of Liquid, and where only a word may: inside of tags, comments, styles.
WITHIN = re.compile(
    r"<!--.*?-->|<(style|title|script|textarea)\b.*?</\1\s*>|<[a-z!/](?:\"[^\"]*\"|'[^']*'|[^>\"'])*>",
    re.DOTALL | re.IGNORECASE,
)
# Filters and tags that write HTML, which would stand in the text as such.
MADE_BY_LIQUID = re.compile(r"\|\s*(?:safe|newline_to_br)\b|\{%-?\s*(?:capture|tablerow|assign|echo|liquid|cycle)\b")
TABLE_TAGS = re.compile(r"<(/?)(?:table|thead|tbody|tfoot|tr)\b[^>]*>", re.IGNORECASE)
CELL_ENDS = re.compile(r"</?t[dh]\b[^>]*>", re.IGNORECASE)
LONE_TAGS = re.compile(r"^[ \t]*((?:\{%[^\n]*?%\}[ \t]*)+)\n", re.MULTILINE)
LINKS = ParserConfig(display_links=True)
HAS_STYLES = re.compile(r"<style\b", re.IGNORECASE)


def expand(text: str, snippets: Mapping[str, str]) -> str:
    """Put snippets where ``{{ snippets.name }}`` stands; unknown ones stay. Raises ValueError for endless ones."""
    for _ in range(MAX_DEPTH):
        if not SNIPPET.search(text):
            return text
        expanded = SNIPPET.sub(lambda match: snippets.get(match[1], match[0]), text)
        if len(expanded) > MAX_EXPANDED:
            raise ValueError("With its snippets it is too long.")
        if expanded == text:
            return text
        text = expanded
    if any(name in snippets for name in SNIPPET.findall(text)):
        raise ValueError("A snippet contains itself, or snippets stand in each other more than five deep.")
    return text


def html_of(content: Mapping[str, str]) -> str:
    """Return the HTML that is rendered for ``content``, "" where it is rendered as it was written.

    Raises TemplateError for MJML that is none, and for styles that cannot be read.
    """
    html = content.get("html", "")
    is_mjml = content.get("markup") == "mjml"
    if not html or not (is_mjml or HAS_STYLES.search(html + content.get("layout_html", ""))):
        return ""
    if is_mjml:
        html = mjml(html)
    if layout := content.get("layout_html"):
        html = CONTENT_MARK.sub(lambda _: f"{BEGIN}{html}{END}", layout)
    return inlined(html)


def text_of(content: Mapping[str, str]) -> str:
    """Return the text part that is rendered for a mail whose author wrote none, made once and not for each message.

    "" where that would not do, as the mail is put together from HTML that only Liquid knows.
    """
    if content.get("text") or not content.get("html") or content.get("channel", "email") != "email":
        return ""
    html, frame = content.get("compiled") or content["html"], content.get("layout_html", "")
    if content.get("layout_text"):
        html = html.partition(BEGIN)[2].partition(END)[0] or html
    elif frame and not content.get("compiled"):
        html = CONTENT_MARK.sub(lambda _: content["html"], frame)
    if MADE_BY_LIQUID.search(html):
        return ""
    kept: list[str] = []
    if "{%" in html:
        # Between rows and cells no text can stand, so Liquid would be moved out of a table: a row becomes a line.
        html = CELL_ENDS.sub(" ", TABLE_TAGS.sub(lambda match: f"<{match[1]}div>", html))
    # A line that holds tags alone would be an empty one.
    return LONE_TAGS.sub(r"\1", _unshield(to_text(_worded(html, kept)), kept))


def to_text(html: str) -> str:
    """Make a text part of HTML: headings, lists, tables, and links with their addresses. Raises TemplateError."""
    if not html.strip():
        return ""
    try:
        lines = [line.rstrip() for line in get_text(html, LINKS).splitlines()]
    except LxmlError as error:
        raise TemplateError("html", 0, f"no text part can be made from this HTML: {error}") from error
    return re.sub(r"\n{3,}", "\n\n", "\n".join(lines)).strip() + "\n"


def mjml(source: str) -> str:
    """Make HTML of MJML. Raises TemplateError."""
    try:
        made = mrml.to_html(source)
    except OSError as error:
        raise TemplateError("html", 0, f"This is not valid MJML: {error}") from error
    text: str = made.content
    return text


def inlined(html: str) -> str:
    """Put the rules of ``<style>`` into the tags; media queries stay where they are. Raises TemplateError."""
    if not HAS_STYLES.search(html):
        return html
    kept: list[str] = []
    shielded = _shield(html, kept)
    try:
        done = _inliner().inline(shielded)
    except (css_inline.InlineError, ValueError) as error:
        raise TemplateError("html", 0, f"The styles cannot be put into the tags: {error}") from error
    return _unshield(done, kept)


@cache
def _inliner() -> css_inline.CSSInliner:
    return css_inline.CSSInliner(load_remote_stylesheets=False, keep_at_rules=True, remove_inlined_selectors=True)


def _shield(html: str, kept: list[str]) -> str:
    """Replace the tags of Liquid: by comments where HTML may have any, by words elsewhere."""
    # Tags of Liquid may hold what looks like HTML, so they become words before places are told apart.
    worded = _worded(html, kept)
    pieces, at = [], 0
    for place in WITHIN.finditer(worded):
        pieces += [re.sub(r"lqx\d+x", r"<!--\g<0>-->", worded[at : place.start()]), place[0]]
        at = place.end()
    return "".join(pieces) + re.sub(r"lqx\d+x", r"<!--\g<0>-->", worded[at:])


def _worded(html: str, kept: list[str]) -> str:
    """Replace the tags of Liquid by words, and keep them in ``kept``."""

    def word(match: re.Match[str]) -> str:
        kept.append(match[0])
        return f"lqx{len(kept) - 1}x"

    return LIQUID.sub(word, html)


def _unshield(html: str, kept: list[str]) -> str:
    return re.sub(
        r"<!--lqx(\d+)x-->|lqx(\d+)x(?:=\"\")?",
        lambda match: kept[int(match[1] or match[2])] if int(match[1] or match[2]) < len(kept) else match[0],
        html,
    )
