"""Wrap a mail's HTML for an ``<iframe sandbox srcdoc>``: looked at, never run.

The sandbox attribute forbids scripts, forms and access to the page around it; the policy inside forbids them once
more and everything else but pictures and styles. Links open a new tab, where the sandbox lets them.
"""

from __future__ import annotations

import re

from django.conf import settings

from messaging import links

POLICY = "default-src 'none'; img-src * data:; media-src *; style-src * 'unsafe-inline'; font-src * data:"

# Before whatever the mail begins with: a parser puts these into the head, also when a doctype follows.
HEAD = (
    f'<meta http-equiv="Content-Security-Policy" content="{POLICY}">'
    '<meta name="referrer" content="no-referrer"><meta name="viewport" content="width=device-width">'
    '<base target="_blank"><style>body{margin:16px;font-family:sans-serif}</style>'
)


# As mail programs do that turn every mail dark: all colours round, pictures back again.
TURNED = (
    "<style>html{background:#fff;filter:invert(1) hue-rotate(180deg)}"
    "img,video{filter:invert(1) hue-rotate(180deg)}</style>"
)
DARK_STYLES = re.compile(r"\(\s*prefers-color-scheme\s*:\s*dark\s*\)", re.IGNORECASE)


def document(html: str, *, dark: bool = False, pictures: bool = True) -> str:
    """Return the text of the srcdoc attribute (to be escaped by the page's template).

    ``dark``: as a mail program in dark mode shows it, by the mail's own dark styles where it has any.
    """
    head = HEAD if pictures else HEAD.replace("img-src * data:", "img-src 'none'")
    if not dark:
        return head + html
    return head + (DARK_STYLES.sub("(min-width:0)", html) if DARK_STYLES.search(html) else TURNED + html)


def without_tracking(html: str) -> str:
    """Return ``document`` without our own open pixel: looking at a mail in the console is no open."""
    return document(without_pixel(html))


def without_pixel(html: str) -> str:
    """Return ``html`` without our own open pixel."""
    own = "|".join(re.escape(f"{base}/m/") for base in {settings.BASE_URL, links.tracking_base()})
    return re.sub(rf"<img\b[^>]*\bsrc=[\"']?(?:{own})[^>]*>", "", html, flags=re.IGNORECASE)
