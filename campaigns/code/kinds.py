"""What can be a file: how each kind is written, read, and stored by the same checks that the console makes."""

from __future__ import annotations

import copy
import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from django.core.exceptions import ValidationError
from django.db.models import Model

from campaigns import places, publishing
from campaigns.models import Admission, Campaign
from events.models import Segment
from events.segments import keeping
from messaging.models import Feed, Layout, Provider, Purpose, Snippet, Template, TemplateTranslation, Topic
from messaging.versions import TRANSLATED

Body = dict[str, Any]
ADMISSION: Body = {"holdout": 0, "in_global": True, "stages": [], "hours": None}


class Mistake(ValueError):
    """Raised for a file that cannot be stored; ``place`` is the path of what is wrong."""

    def __init__(self, place: str, message: str) -> None:
        super().__init__(f"{place}: {message}")
        self.place, self.message = place, message


@dataclass(frozen=True, slots=True)
class Kind:
    """``key`` names its things for good. ``defaults`` are all other fields: those that say nothing are left out.

    ``body`` says of a row what a file says of it, ``store`` makes it so.
    """

    name: str
    folder: str
    model: type[Model]
    key: str
    defaults: Mapping[str, Any]
    body: Callable[[Any], Body]
    store: Callable[[Body, Any], None]

    def find(self, key: str) -> Any:
        return self.model._default_manager.filter(**{self.key: key}).first()

    def of(self, row: Any) -> Body:
        """Return what a file says of a row: the key, and what is not usual."""
        found = self.body(row)
        return {name: value for name, value in found.items() if name == self.key or value != self.defaults[name]}

    def read(self, said: Mapping[str, Any]) -> Body:
        """Return what a file says, without what is usual. Raises Mistake for what no such thing has."""
        for name, value in said.items():
            if name != self.key and name not in self.defaults:
                raise Mistake(name, f"a {self.name} has no {name}: known are {', '.join([self.key, *self.defaults])}")
            usual = self.defaults.get(name, "")
            if usual is not None and value is not None and type(value) is not type(usual):
                raise Mistake(name, f"has to be {_WORDS.get(type(usual), 'something else')}")
        if not said.get(self.key):
            raise Mistake(self.key, f"a {self.name} needs a {self.key}")
        return {name: value for name, value in said.items() if name == self.key or value != self.defaults[name]}

    def complete(self, body: Body) -> Body:
        """Return a body with what is usual in place."""
        return {**copy.deepcopy(dict(self.defaults)), **body}


_WORDS = {str: "a text", int: "a whole number", bool: "true or false", dict: "names with their values", list: "a list"}


def fingerprint(body: Body) -> str:
    """Return what tells one state of a thing from another."""
    return hashlib.sha256(json.dumps(body, sort_keys=True, ensure_ascii=False).encode()).hexdigest()[:16]


def _plain(*names: str) -> Callable[[Any], Body]:
    return lambda row: {name: getattr(row, name) for name in names}


def _clean(row: Model, **exclude: Any) -> None:
    try:
        row.full_clean(**exclude)
    except ValidationError as error:
        field, messages = next(iter(error.message_dict.items()))
        raise Mistake("" if field == "__all__" else field, messages[0]) from None


def _set(row: Any, model: type[Model], body: Body) -> Any:
    row = row if row is not None else model()
    for name, value in body.items():
        setattr(row, name, value)
    return row


def _store_topic(body: Body, row: Topic | None) -> None:
    found = _set(row, Topic, body)
    _clean(found)
    found.save()


def _store_layout(body: Body, row: Layout | None) -> None:
    found = _set(row, Layout, body)
    _clean(found)
    found.save()


def _template(row: Template) -> Body:
    plain = ("name", "channel", "purpose", "from_email", "reply_to", "subject", "preheader", "markup", "html", "text")
    return {
        **_plain(*plain, "options")(row),
        "languages": {
            each.language: {name: text for name in TRANSLATED if (text := getattr(each, name))}
            for each in row.translations.order_by("language")
        },
        "topic": row.topic.slug if row.topic else "",
        "layout": row.layout.name if row.layout else "",
        "provider": row.provider.name if row.provider else "",
    }


def _store_template(body: Body, row: Template | None) -> None:
    body = {
        **body,
        "topic": _named(Topic, "slug", body["topic"], "topic"),
        "layout": _named(Layout, "name", body["layout"], "layout"),
        "provider": _named(Provider, "name", body["provider"], "provider"),
    }
    languages = body.pop("languages")
    found = _set(row, Template, body)
    _clean(found)
    found.save()
    _store_languages(found, languages)


def _store_languages(template: Template, languages: Any) -> None:
    if not isinstance(languages, dict) or not all(isinstance(words, dict) for words in languages.values()):
        raise Mistake("languages", "has to name languages, each with its words")
    template.translations.exclude(language__in=languages).delete()
    for language, words in languages.items():
        if unknown := [name for name in words if name not in TRANSLATED]:
            raise Mistake(f"languages.{language}.{unknown[0]}", f"known are {', '.join(TRANSLATED)}")
        row = template.translations.filter(language=language).first()
        texts = {name: words.get(name, "") for name in TRANSLATED}
        found = _set(row, TemplateTranslation, {**texts, "template": template, "language": language})
        _clean(found)
        found.save()


def _store_snippet(body: Body, row: Snippet | None) -> None:
    found = _set(row, Snippet, body)
    _clean(found)
    found.save()


def _store_feed(body: Body, row: Feed | None) -> None:
    found = _set(row, Feed, body)
    _clean(found)
    found.save()


def _named(model: type[Model], key: str, value: str, place: str) -> Any:
    if not value:
        return None
    found = model._default_manager.filter(**{key: value}).first()
    if found is None:
        raise Mistake(place, f"there is no {place} {value}")
    return found


def _segment(row: Segment) -> Body:
    return {**_plain("slug", "name", "description", "condition")(row), "kept": row.kind}


def _store_segment(body: Body, row: Segment | None) -> None:
    body = {**body, "kind": body["kept"]}
    del body["kept"]
    changed = {name for name, value in body.items() if row is None or getattr(row, name) != value}
    try:
        keeping.save(_set(row, Segment, body), changed)
    except keeping.Mistake as mistake:
        raise Mistake(mistake.field, mistake.message) from None


def _campaign(row: Campaign) -> Body:
    names = dict(Template.objects.values_list("pk", "name"))
    definition = publishing.thawed(row.draft)
    for _, step in places.send_steps(definition):
        if step.get("template") in names:
            step["template"] = names[step["template"]]
    admission = Admission.objects.filter(campaign=row).first()
    found = {name: getattr(admission, name) for name in ADMISSION} if admission else dict(ADMISSION)
    return {
        **_plain("slug", "name", "description")(row),
        "admission": {name: value for name, value in found.items() if value != ADMISSION[name]},
        "definition": definition,
    }


def _store_campaign(body: Body, row: Campaign | None) -> None:
    definition = copy.deepcopy(body["definition"])
    ids = dict(Template.objects.values_list("name", "pk"))
    for place, step in places.send_steps(definition):
        if isinstance(step.get("template"), str):
            if step["template"] not in ids:
                raise Mistake(f"definition.{place}.template", f"there is no template {step['template']}")
            step["template"] = ids[step["template"]]
    fields = {name: body[name] for name in ("slug", "name", "description")}
    found = _set(row, Campaign, {**fields, "draft": definition})
    _clean(found)
    found.save()
    _store_admission(found, body["admission"])


def _store_admission(campaign: Campaign, said: Body) -> None:
    for name in said:
        if name not in ADMISSION:
            raise Mistake(f"admission.{name}", f"known are {', '.join(ADMISSION)}")
    found = Admission.objects.filter(campaign=campaign).first()
    wanted = {**ADMISSION, **said}
    if found is None and wanted == ADMISSION:
        return
    found = _set(found, Admission, {**wanted, "campaign": campaign})
    try:
        _clean(found)
    except Mistake as mistake:
        raise Mistake(f"admission.{mistake.place}", mistake.message) from None
    found.save()


# In the order in which they are stored: each names only what stands before it.
KINDS: dict[str, Kind] = {
    kind.name: kind
    for kind in (
        Kind(
            "topic",
            "topics",
            Topic,
            "slug",
            {"name": "", "description": "", "joining": "opt_out", "position": 0, "archived": False},
            _plain("slug", "name", "description", "joining", "position", "archived"),
            _store_topic,
        ),
        Kind(
            "layout", "layouts", Layout, "name", {"html": "", "text": ""}, _plain("name", "html", "text"), _store_layout
        ),
        Kind(
            "snippet",
            "snippets",
            Snippet,
            "slug",
            {"content": "", "description": ""},
            _plain("slug", "content", "description"),
            _store_snippet,
        ),
        # The authorization stays where it is: files hold no secrets.
        Kind(
            "feed",
            "feeds",
            Feed,
            "slug",
            {"url": "", "keep_seconds": 300, "fallback": None},
            _plain("slug", "url", "keep_seconds", "fallback"),
            _store_feed,
        ),
        Kind(
            "template",
            "templates",
            Template,
            "name",
            {
                "channel": "email",
                "purpose": Purpose.MARKETING.value,
                "markup": "html",
                "options": {},
                "languages": {},
                "topic": "",
                "layout": "",
                "provider": "",
                "from_email": "",
                "reply_to": "",
                "subject": "",
                "preheader": "",
                "html": "",
                "text": "",
            },
            _template,
            _store_template,
        ),
        Kind(
            "segment",
            "segments",
            Segment,
            "slug",
            {"name": "", "description": "", "kept": Segment.Kind.DYNAMIC.value, "condition": None},
            _segment,
            _store_segment,
        ),
        Kind(
            "campaign",
            "campaigns",
            Campaign,
            "slug",
            {"name": "", "description": "", "admission": {}, "definition": {}},
            _campaign,
            _store_campaign,
        ),
    )
}
