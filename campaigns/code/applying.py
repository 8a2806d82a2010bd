"""Export to files, plan what applying them changes, and apply: all of it or nothing."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from django.db import transaction
from django.utils.text import slugify

from campaigns import places, publishing
from campaigns.code import texts
from campaigns.code.differences import Difference, differences
from campaigns.code.kinds import KINDS, Body, Kind, Mistake, fingerprint
from campaigns.code.texts import CodeError, Text
from campaigns.models import AppliedCode, Campaign
from events import references
from events.models import Segment
from events.segments.usage import mentions
from messaging import topics, usage
from messaging.models import Template, Topic

ADD, CHANGE, SAME, CONFLICT, WRONG = "+", "~", "=", "!", "x"


@dataclass(frozen=True, slots=True)
class Fault:
    """What is wrong in a file, and where."""

    place: str
    line: int
    message: str


@dataclass(slots=True)
class Item:
    """A file and what applying it does: ``sign`` is one of those above."""

    path: str
    kind: str = ""
    key: str = ""
    sign: str = SAME
    changes: list[Difference] = field(default_factory=list)
    faults: list[Fault] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class File:
    """A file that can be read; ``base`` is what it was made from, "" where it does not say."""

    path: str
    kind: Kind
    body: Body
    base: str
    text: Text

    @property
    def key(self) -> str:
        return str(self.body[self.kind.key])


# --- Export ---


def export(slugs: Collection[str] = ()) -> dict[str, str]:
    """Return the text of each file by its path: of everything, or of these campaigns and all that they use."""
    wanted = _wanted(slugs)
    found: dict[str, str] = {}
    for kind in KINDS.values():
        rows = kind.model._default_manager.order_by(kind.key)
        for row in rows if wanted is None else rows.filter(pk__in=wanted[kind.name]):
            body = kind.of(row)
            stem = slugify(str(body[kind.key])) or kind.name
            path = _free(f"{kind.folder}/{stem}", found)
            found[path] = texts.write({"kind": kind.name, "base": fingerprint(body), **body})
    return found


def _free(stem: str, taken: Mapping[str, str]) -> str:
    number, path = 1, f"{stem}.yaml"
    while path in taken:
        number += 1
        path = f"{stem}-{number}.yaml"
    return path


def _wanted(slugs: Collection[str]) -> dict[str, set[int]] | None:
    """Return the ids by kind of what these campaigns use; None for everything. Raises Mistake for an unknown one."""
    if not slugs:
        return None
    chosen = {campaign.slug: campaign for campaign in Campaign.objects.filter(slug__in=slugs)}
    for slug in slugs:
        if slug not in chosen:
            raise Mistake("campaign", f"there is no campaign {slug}")
    drafts = [campaign.draft for campaign in chosen.values()]
    sent = {step.get("template") for draft in drafts for _, step in places.all_steps(draft)}
    templates = list(Template.objects.filter(pk__in=[pk for pk in sent if isinstance(pk, int)]))
    segments: dict[int, Any] = {}
    open_ones = list(drafts)
    while open_ones:
        tree = open_ones.pop()
        for segment in Segment.objects.all():
            if segment.pk not in segments and mentions(tree, segment.slug):
                segments[segment.pk] = segment.condition
                open_ones.append(segment.condition)
    trees = [*drafts, *segments.values()]
    named = {topic.pk for topic in Topic.objects.all() if any(topics.mentions(tree, topic.slug) for tree in trees)}
    snippets, feeds = usage.mentioned(templates)
    return {
        "snippet": snippets,
        "feed": feeds,
        "topic": named | {template.topic_id for template in templates if template.topic_id},
        "layout": {template.layout_id for template in templates if template.layout_id},
        "template": {template.pk for template in templates},
        "segment": set(segments),
        "campaign": {campaign.pk for campaign in chosen.values()},
    }


# --- Files ---


def read(folder: Path) -> dict[str, str]:
    """Return the text of every YAML file below ``folder`` by its path."""
    found = sorted(path for path in folder.rglob("*.y*ml") if path.suffix in (".yaml", ".yml"))
    return {path.relative_to(folder).as_posix(): path.read_text(encoding="utf-8") for path in found}


def _read_all(given: Mapping[str, str]) -> tuple[list[File], list[Item]]:
    """Return the files that can be read, in the order in which they are stored, and what is wrong with the others."""
    files: list[File] = []
    wrong: list[Item] = []
    for path, text in given.items():
        try:
            files.append(_read(path, text))
        except CodeError as error:
            wrong.append(Item(path, sign=WRONG, faults=[Fault(error.place, error.line, error.message)]))
    order = list(KINDS)
    files.sort(key=lambda file: (order.index(file.kind.name), file.key))
    seen: dict[tuple[str, str], str] = {}
    for file in list(files):
        first = seen.setdefault((file.kind.name, file.key), file.path)
        if first != file.path:
            files.remove(file)
            fault = Fault(file.kind.key, file.text.line(file.kind.key), f"{first} is this {file.kind.name} already")
            wrong.append(Item(file.path, file.kind.name, file.key, WRONG, faults=[fault]))
    return files, wrong


def _read(path: str, text: str) -> File:
    found = texts.read(text)
    said = dict(found.value)
    name, base = said.pop("kind", None), said.pop("base", "")
    if name not in KINDS:
        raise CodeError(f"has to be one of {', '.join(KINDS)}", found.line("kind"), "kind")
    try:
        return File(path, KINDS[name], KINDS[name].read(said), str(base), found)
    except Mistake as mistake:
        raise CodeError(mistake.message, found.line(mistake.place), mistake.place) from None


# --- Plan and apply ---


def plan(given: Mapping[str, str], *, force: bool = False) -> list[Item]:
    """Return what applying these files would do. Nothing is changed: what would be is rolled back."""
    with transaction.atomic():
        items = _apply(given, force)
        transaction.set_rollback(True)
    return items


def apply(given: Mapping[str, str], *, force: bool = False, reason: str = "") -> list[Item]:
    """Apply these files, all or nothing; return what that did, or what is in the way.

    ``force`` overwrites what somebody else has changed. With a ``reason`` campaigns that differ from what is live are
    published.
    """
    with transaction.atomic():
        items = _apply(given, force)
        if reason and not is_refused(items):
            _publish(items, reason)
        if is_refused(items):
            transaction.set_rollback(True)
    return items


def is_refused(items: Sequence[Item]) -> bool:
    """Say whether anything is in the way."""
    return any(item.sign in (CONFLICT, WRONG) for item in items)


def _apply(given: Mapping[str, str], force: bool) -> list[Item]:
    references.hold()
    files, items = _read_all(given)
    for file in files:
        items.append(_apply_one(file, force))
    return sorted(items, key=lambda item: item.path)


def _apply_one(file: File, force: bool) -> Item:
    item = Item(file.path, file.kind.name, file.key)
    row = file.kind.find(file.key)
    before = file.kind.of(row) if row else None
    if before == file.body:
        _note(file)
        return item
    item.sign = CHANGE if before else ADD
    item.changes = list(differences(before or {}, file.body))
    if before and not force and (fault := _conflict(file, before)):
        item.sign, item.faults = CONFLICT, [fault]
        return item
    try:
        with transaction.atomic():
            file.kind.store(file.kind.complete(file.body), row)
    except Mistake as mistake:
        item.sign = WRONG
        item.faults = [Fault(mistake.place, file.text.line(mistake.place), mistake.message)]
        return item
    _note(file)
    return item


def _conflict(file: File, before: Body) -> Fault | None:
    """Say what somebody has changed since the file was made or last applied, None where nobody has."""
    applied = AppliedCode.objects.filter(kind=file.kind.name, key=file.key).first()
    present = fingerprint(before)
    if present in {file.base, applied.fingerprint if applied else ""}:
        return None
    first = next(differences(file.body, before))
    since = "since the file was made" if file.base else "and the file does not say what it was made from"
    message = f"it has been changed here {since}: {first.place} is {first.text.rpartition(' → ')[2]} here"
    return Fault(first.place, file.text.line(first.place.replace("/", ".")), message)


def _note(file: File) -> None:
    AppliedCode.objects.update_or_create(
        kind=file.kind.name, key=file.key, defaults={"fingerprint": fingerprint(file.body)}
    )


def _publish(items: Sequence[Item], reason: str) -> None:
    for item in items:
        if item.kind != "campaign":
            continue
        campaign = Campaign.objects.select_related("live_version").get(slug=item.key)
        live = campaign.live_version
        if live and publishing.thawed(live.definition) == campaign.draft:
            continue
        try:
            publishing.publish(campaign, None, reason)
        except publishing.NotPublishable as refusal:
            item.sign = WRONG
            item.faults = [Fault(f"definition.{each.path}", 0, each.message) for each in refusal.problems]


# --- Words ---


def told(items: Sequence[Item], *, done: bool) -> Iterator[str]:
    """Yield the lines of a plan, or of what was done."""
    for item in items:
        if item.sign == SAME:
            continue
        name = f"{item.kind} {item.key}".strip() or item.path
        yield f"{item.sign} {name}"
        for change in item.changes if item.sign in (ADD, CHANGE) else ():
            yield f"    {change.sign} {change.place}: {change.text}"
        for fault in item.faults:
            line = f"{item.path}:{fault.line}" if fault.line else item.path
            yield f"    {line}: {fault.place + ': ' if fault.place else ''}{fault.message}"
    number = {sign: sum(item.sign == sign for item in items) for sign in (ADD, CHANGE, SAME, CONFLICT, WRONG)}
    verbs = ("added", "changed") if done and not is_refused(items) else ("to add", "to change")
    yield (
        f"{number[ADD]} {verbs[0]}, {number[CHANGE]} {verbs[1]}, {number[SAME]} unchanged, "
        f"{number[CONFLICT]} in conflict, {number[WRONG]} wrong."
    )
    if number[CONFLICT]:
        yield "Export again and carry your changes over, or overwrite what is here with --force."
    if done and is_refused(items):
        yield "Nothing was applied."
