"""Show how to send a first event from elsewhere: code to copy, with address and key filled in. Pure."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace

from events.admin import recipe_curls as curls
from events.admin import recipe_texts as texts

# What stands in the code while the key itself cannot be shown.
NO_SECRET_KEY, NO_PUBLIC_KEY = "YOUR_SECRET_KEY", "YOUR_PUBLIC_KEY"
_BLANKS = re.compile(r"\b(HOST|WRITE_KEY|SITE_ID)\b")
ONLY_HTTPS = "This library calls https addresses only: in earnest Cuebird needs one, with a certificate."
BUNDLED = "For pages that are built with a bundler."


@dataclass(frozen=True, slots=True)
class Recipe:
    """How to send from one kind of program. ``curl`` sends what the library does; ``in_browser``: public keys only."""

    slug: str
    group: str
    title: str
    code: str
    curl: str = ""
    note: str = ""

    @property
    def in_browser(self) -> bool:
        return self.group == BROWSER


TERMINAL, BROWSER, PYTHON, NODE = "Command line", "Web page", "Python", "Node.js"
RECIPES = (
    Recipe("curl", TERMINAL, "curl", texts.CURL),
    Recipe(
        "snippet",
        BROWSER,
        "cuebird.js, our own snippet",
        texts.SNIPPET,
        curls.SNIPPET,
        "Paste it into the head of each page. It captures page views, time, scroll depth and marked clicks; leave out "
        "capture to report nothing but what you call.",
    ),
    Recipe(
        "segment-browser",
        BROWSER,
        "@segment/analytics-next (analytics.js)",
        texts.SEGMENT_BROWSER,
        curls.SEGMENT_BROWSER,
        BUNDLED,
    ),
    Recipe("rudder-browser", BROWSER, "@rudderstack/analytics-js", texts.RUDDER_BROWSER, curls.RUDDER_BROWSER, BUNDLED),
    Recipe(
        "customerio-browser",
        BROWSER,
        "@customerio/cdp-analytics-browser",
        texts.CUSTOMERIO_BROWSER,
        curls.CUSTOMERIO_BROWSER,
        BUNDLED,
    ),
    Recipe("fetch", BROWSER, "fetch, without a library", texts.FETCH, curls.FETCH),
    Recipe("segment-python", PYTHON, "segment-analytics-python", texts.SEGMENT_PYTHON, curls.SEGMENT_PYTHON),
    Recipe("rudder-python", PYTHON, "rudder-sdk-python", texts.RUDDER_PYTHON, curls.RUDDER_PYTHON),
    Recipe(
        "customerio-python",
        PYTHON,
        "customerio (Track API)",
        texts.CUSTOMERIO_PYTHON,
        curls.CUSTOMERIO_TRACK,
        ONLY_HTTPS,
    ),
    Recipe(
        "customerio-pipelines-python",
        PYTHON,
        "customerio-cdp-analytics (pipelines)",
        texts.CUSTOMERIO_PIPELINES_PYTHON,
        curls.CUSTOMERIO_PIPELINES_PYTHON,
    ),
    Recipe("segment-node", NODE, "@segment/analytics-node", texts.SEGMENT_NODE, curls.SEGMENT_NODE),
    Recipe("rudder-node", NODE, "@rudderstack/rudder-sdk-node", texts.RUDDER_NODE, curls.RUDDER_NODE),
    Recipe("customerio-node", NODE, "customerio-node (Track API)", texts.CUSTOMERIO_NODE, curls.CUSTOMERIO_TRACK),
    Recipe(
        "customerio-node-pipelines",
        NODE,
        "customerio-node (pipelines)",
        texts.CUSTOMERIO_NODE_PIPELINES,
        curls.CUSTOMERIO_NODE_PIPELINES,
    ),
    Recipe(
        "customerio-pipelines-node",
        NODE,
        "@customerio/cdp-analytics-node (pipelines)",
        texts.CUSTOMERIO_PIPELINES_NODE,
        curls.CUSTOMERIO_PIPELINES_NODE,
    ),
)
BY_SLUG = {recipe.slug: recipe for recipe in RECIPES}


def groups() -> dict[str, list[Recipe]]:
    """Return the recipes, not filled in, by where they run."""
    found: dict[str, list[Recipe]] = {}
    for recipe in RECIPES:
        found.setdefault(recipe.group, []).append(recipe)
    return found


def of(slug: str) -> Recipe:
    """Return a recipe, not filled in; the first one for a name that is not known."""
    return BY_SLUG.get(slug, RECIPES[0])


def filled(slug: str, host: str, site_id: str, key: str) -> Recipe:
    """Return a recipe with address and key in place."""
    recipe = of(slug)
    code = recipe.code
    if code == texts.CUSTOMERIO_PYTHON and not host.startswith("https://"):
        code = texts.CUSTOMERIO_PYTHON_PLAIN
    values = {"HOST": host, "SITE_ID": site_id, "WRITE_KEY": key}

    def fill(text: str) -> str:
        return _BLANKS.sub(lambda found: values[found[1]], text)

    return replace(recipe, code=fill(code), curl=fill(recipe.curl))
