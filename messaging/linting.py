"""What an author should know: variables that traffic lacks, and what mail programs and people stumble over.

Shares come from the catalogue, whose figures are about the last ten thousand events of a name, and so of traits.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from lxml import html as parsing
from lxml.etree import LxmlError

from events import catalog, liquid_engine
from events.models import ComputedTrait, EventDefinition, PropertyStat
from messaging import versions
from messaging.rendering import Rendered
from messaging.variables import PERSON

# Fewer than this many in a hundred lack it: not worth a word.
WORTH_SAYING = 0.01
# Gmail shows no more of a mail than this, and hides the unsubscribe link behind “view entire message”.
CLIPPED = 102 * 1024
NEARLY = 0.9
# WCAG 2: so much brighter has text to be than what is behind it.
CONTRAST = 4.5
SHOWN = 10

OUTPUT = re.compile(r"\{\{-?\s*((?:trigger|event|customer)\.[\w.\-]+)\s*(\|[^}]*)?-?\}\}")
ASKED = re.compile(r"\{%-?\s*(?:if|elsif|unless|case)\b([^%]*)%\}")
NUMBER = re.compile(r"#([0-9a-f]{3}|[0-9a-f]{6})\b", re.IGNORECASE)
NAMED = {"white": (255, 255, 255), "black": (0, 0, 0), "red": (255, 0, 0), "gray": (128, 128, 128)}
VAGUE = {"here", "click here", "more", "read more", "link", "this", "hier", "mehr"}

Colour = tuple[int, int, int]


@dataclass(frozen=True, slots=True)
class Lack:
    """A variable that is not always there. ``advice`` says what to do."""

    path: str
    words: str
    advice: str


@dataclass(slots=True)
class _Known:
    """What traffic has shown below a variable: how many of ``observed`` had each path; None where nothing was."""

    observed: int
    filled: dict[str, int] | None
    nobody: str
    those: str


def lacking(content: Mapping[str, Any], event: str) -> list[Lack]:
    """Return the variables of ``content`` that events named ``event``, or people, lack always or often.

    Often is said only of what is written without a ``default`` and is not asked about by an ``if``. Four statements.
    """
    known = {"customer": _of_people(), "trigger": _of_event(event)}
    known["event"] = known["trigger"]
    bare = _bare(content)
    found = []
    for path in sorted(shown(content)):
        root, _, rest = path.partition(".")
        below = known.get(root)
        if below is None or below.filled is None or not rest:
            continue
        if lack := _lack(path, rest, below, path in bare):
            found.append(lack)
    return found[:SHOWN]


def shown(content: Mapping[str, Any]) -> set[str]:
    """Return the variables that a template speaks of, as paths; places in lists are cut off."""
    found: set[str] = set()
    for text in versions.texts(content):
        try:
            template = liquid_engine.parse(text, escape=False)
        except liquid_engine.Fault:
            continue
        for uses in template.analyze(include_partials=False).globals.values():
            found.update(_path(use.segments) for use in uses)
    return found


def of_mail(rendered: Rendered) -> list[str]:
    """Say what mail programs and people will stumble over in a finished mail."""
    return list(_of_mail(rendered)) if rendered.html else []


def links(html: str) -> list[str]:
    """Return the addresses that a mail links to, each once, in order."""
    try:
        tree = parsing.fromstring(html)
    except (LxmlError, ValueError):
        return []
    return list(dict.fromkeys(link.get("href", "").strip() for link in tree.iter("a") if link.get("href")))


def _of_people() -> _Known:
    observed = _observed(catalog.TRAITS)
    if not observed:
        return _Known(0, None, "", "")
    filled = {stat.path: stat.filled for stat in catalog.traits()}
    always = {*PERSON, *ComputedTrait.objects.values_list("name", flat=True)} - filled.keys()
    return _Known(observed, filled | dict.fromkeys(always, observed), "nobody", "people who were reported")


def _of_event(event: str) -> _Known:
    observed = _observed(event) if event else 0
    if not observed:
        return _Known(0, None, "", "")
    filled = {stat.path: stat.filled for stat in PropertyStat.objects.filter(definition__name=event)}
    return _Known(observed, filled, f"no “{event}”", f"“{event}”")


def _observed(name: str) -> int:
    return EventDefinition.objects.filter(name=name).values_list("observed", flat=True).first() or 0


def _lack(path: str, rest: str, known: _Known, is_bare: bool) -> Lack | None:
    assert known.filled is not None
    filled = known.filled.get(rest)
    if filled is None and any(each.startswith(f"{rest}.") for each in known.filled):
        return None
    if filled is None:
        nearest = catalog.spelled_like(rest, set(known.filled))
        meant = f" Did you mean {path.partition('.')[0]}.{nearest}?" if nearest else ""
        words = f"shows {{{{ {path} }}}}, which {known.nobody} has had so far"
        return Lack(path, words, f"Correct it in the template, or give it a default.{meant}")
    share = 1 - filled / known.observed
    if not is_bare or share < WORTH_SAYING:
        return None
    words = (
        f"shows {{{{ {path} }}}}, which is missing in {100 * share:.0f} % of the last {known.observed:,} {known.those}"
    )
    return Lack(path, words, f'Give it a default: {{{{ {path} | default: "…" }}}}')


def _bare(content: Mapping[str, Any]) -> set[str]:
    """Return the variables that are written just so somewhere: no default, and no question about them before."""
    found, asked = set(), set()
    for text in versions.texts(content):
        found |= {match[1] for match in OUTPUT.finditer(text) if "default" not in (match[2] or "")}
        asked |= {word for match in ASKED.finditer(text) for word in re.findall(r"[\w.\-]+", match[1])}
    return found - asked


def _path(segments: list[Any]) -> str:
    parts: list[str] = []
    for segment in segments:
        if not isinstance(segment, str) or (parts and segment in ("size", "first", "last")):
            break
        parts.append(segment)
    return ".".join(parts)


# --- Finished mails --------------------------------------------------------------------------------------------------


def _of_mail(rendered: Rendered) -> Iterator[str]:
    size = len(rendered.html.encode())
    if size > CLIPPED * NEARLY:
        what = "hides the rest" if size > CLIPPED else "hides what goes beyond"
        yield f"The mail has {size // 1024} KB of HTML: Gmail shows 102 KB and {what}, the unsubscribe link too."
    try:
        tree = parsing.fromstring(rendered.html)
    except (LxmlError, ValueError):
        return
    yield from _of_links(tree)
    yield from _of_pictures(tree)
    yield from _of_contrast(tree)


def _of_links(tree: Any) -> Iterator[str]:
    for link in tree.iter("a"):
        url, words = (link.get("href") or "").strip(), " ".join(link.text_content().split())
        name = words or url or "without words"
        if url in ("", "#"):
            yield f"The link “{name[:60]}” leads nowhere."
        elif urlsplit(url).scheme not in ("http", "https", "mailto", "tel", "sms"):
            yield f"The link “{name[:60]}” leads to “{url[:60]}”, which mail programs do not open: begin it with https://."
        elif words.lower() in VAGUE:
            yield f"A link says only “{words}”: screen readers read links by themselves, so say where it leads."
        elif not words and not link.findall(".//img"):
            yield f"The link to “{url[:60]}” has no words to press."


def _of_pictures(tree: Any) -> Iterator[str]:
    bare = [image for image in tree.iter("img") if image.get("alt") is None and image.get("width") != "1"]
    if bare:
        some = "A picture has" if len(bare) == 1 else f"{len(bare)} pictures have"
        yield f'{some} no alt text: say in alt="…" what it shows, or alt="" where it only decorates.'
    text = " ".join(tree.text_content().split())
    if len(text) < 40 and len(list(tree.iter("img"))) > 0:
        yield "There is hardly any text: many mail programs show pictures only on demand."


def _of_contrast(tree: Any) -> Iterator[str]:
    said: set[tuple[Colour, Colour]] = set()
    for element in tree.iter():
        if not isinstance(element.tag, str) or not (element.text or "").strip():
            continue
        front, back = _colour(element, "color") or (0, 0, 0), _colour(element, "background") or (255, 255, 255)
        ratio = contrast(front, back)
        if ratio < CONTRAST and (front, back) not in said and not _is_hidden(element):
            said.add((front, back))
            words = " ".join(element.text.split())[:40]
            yield f"“{words}” is hard to read: its contrast is {ratio:.1f}, and {CONTRAST} is the least for small text."
        if len(said) >= 3:
            return


def _is_hidden(element: Any) -> bool:
    while element is not None:
        if re.search(r"display\s*:\s*none", element.get("style") or ""):
            return True
        element = element.getparent()
    return False


def _colour(element: Any, name: str) -> Colour | None:
    """Return a colour as it is inherited from the tags around, in styles or attributes; None where none is set."""
    attribute = {"color": "color", "background": "bgcolor"}[name]
    pattern = re.compile(rf"(?:^|[;\s]){name}(?:-color)?\s*:\s*([^;]+)", re.IGNORECASE)
    while element is not None:
        found = pattern.findall(element.get("style") or "")
        for text in [*reversed(found), element.get(attribute) or ""]:
            if (colour := _read(text)) is not None:
                return colour
        element = element.getparent()
    return None


def _read(text: str) -> Colour | None:
    if match := NUMBER.search(text):
        digits = match[1] if len(match[1]) == 6 else "".join(letter * 2 for letter in match[1])
        return int(digits[:2], 16), int(digits[2:4], 16), int(digits[4:], 16)
    return NAMED.get(text.strip().lower())


def contrast(front: Colour, back: Colour) -> float:
    """Return the contrast of two colours as WCAG 2 reckons it, from 1 to 21."""
    lighter, darker = sorted((_luminance(front), _luminance(back)), reverse=True)
    return (lighter + 0.05) / (darker + 0.05)


def _luminance(colour: Colour) -> float:
    parts = [part / 255 for part in colour]
    red, green, blue = (part / 12.92 if part <= 0.03928 else ((part + 0.055) / 1.055) ** 2.4 for part in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue
