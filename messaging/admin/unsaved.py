"""Read a template from a form that has not been saved, for the preview beside it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.http import QueryDict

from messaging.models import Layout, Purpose, Template
from messaging.names import ChannelName
from messaging.versions import TRANSLATED

WRITTEN = ("subject", "preheader", "html", "text", "from_email", "reply_to")
# What the channels have besides; the form's fields are called so with "option_" before.
OPTIONS = ("url", "button", "style", "position", "image", "icon", "days", "method", "headers")
MOST_LANGUAGES = 50

SAMPLE = Template(
    name="Sample",
    purpose=Purpose.TRANSACTIONAL,
    subject="A sample mail",
    html="<h1>Hello {{ customer.first_name | default: 'there' }}</h1><p>Here stands what a template says.</p>",
    text="Hello {{ customer.first_name | default: 'there' }},\n\nhere stands what a template says.\n",
)


def template(form: QueryDict) -> Template:
    """Return an unsaved template with the content of the template editor's ``form``."""
    layout = form.get("layout", "")
    return Template(
        name=form.get("name", ""),
        purpose=form.get("purpose", Purpose.MARKETING),
        channel=form.get("channel") or ChannelName.EMAIL,
        markup=form.get("markup") or Template.Markup.HTML,
        options=options(form),
        layout=Layout.objects.filter(pk=int(layout)).first() if layout.isdecimal() else None,
        **{name: clean(form.get(name, "")) for name in WRITTEN},
    )


def options(form: Mapping[str, Any]) -> dict[str, str]:
    """Return what a channel has besides, without what was left empty."""
    found = {name: clean(str(form.get(f"option_{name}") or "")).strip() for name in OPTIONS}
    return {name: text for name, text in found.items() if text}


def translations(form: QueryDict) -> dict[str, dict[str, str]]:
    """Return the words in other languages, by language, as the form's inline rows have them."""
    found = {}
    count = form.get("translations-TOTAL_FORMS", "0")
    for number in range(min(int(count) if count.isdecimal() else 0, MOST_LANGUAGES)):
        language = form.get(f"translations-{number}-language", "").strip().lower().replace("_", "-")
        if language and not form.get(f"translations-{number}-DELETE"):
            found[language] = {name: clean(form.get(f"translations-{number}-{name}", "")) for name in TRANSLATED}
    return found


def in_layout(form: QueryDict, inside: Template) -> Template:
    """Return an unsaved copy of ``inside`` within the unsaved layout of the layout editor's ``form``."""
    layout = Layout(name="Unsaved", html=clean(form.get("html", "")), text=clean(form.get("text", "")))
    content = {name: getattr(inside, name) for name in WRITTEN}
    return Template(name=inside.name, purpose=inside.purpose, layout=layout, **content)


def differs(form: QueryDict, saved: Template) -> bool:
    """Tell whether ``form`` says something else than ``saved``."""
    now = template(form)
    fields = ("purpose", "layout_id", "markup", *WRITTEN)
    if now.options != saved.options or any(
        _plain(getattr(now, each)) != _plain(getattr(saved, each)) for each in fields
    ):
        return True
    known = {row.language: row for row in saved.translations.all()}
    said = translations(form)
    return "translations-TOTAL_FORMS" in form and (
        known.keys() != said.keys()
        or any(
            _plain(words[name]) != _plain(getattr(known[key], name)) for key, words in said.items() for name in words
        )
    )


def clean(text: str) -> str:
    """Return ``text`` with line ends as they are stored: a browser posts them as CR LF."""
    return text.replace("\r\n", "\n")


def _plain(value: object) -> object:
    return clean(value).strip() if isinstance(value, str) else value
