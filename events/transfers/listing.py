"""People in a file for a list that is kept by hand: who is known, who is named twice, who enters and who leaves.

This is a part of an import (``imports``): a slice's people are listed in the transaction that stores the slice.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from typing import Any

from django.db import connection
from django.db.models import Exists, OuterRef

from events import people
from events.ingest import Item
from events.models import Identity, Import, ImportPerson, SegmentMember
from events.segments import lists
from events.transfers import rows

LEAVING = 1_000
NOBODY = "Nobody is known by this. The row is left out."
IGNORED = "Whatever comes in about this person is ignored. The row is left out."
TWICE = "The same person as in row {}."
Store = Callable[[Sequence[Item]], None]
Note = Callable[[int, str], None]


def take(upload: Import, items: Sequence[Item], store: Store, fail: Note, remark: Note) -> None:
    """Check or list the people of a slice, in its transaction, and count them in ``upload``, which is not saved.

    ``store`` is called with what is to be stored of them; ``fail`` and ``remark`` with a row's number and words.
    Raises ValueError when the list is gone.
    """
    if upload.segment is None:
        raise ValueError("The list is gone.")
    found = _find(upload, items)
    unknown = [item for item in items if item.index not in found]
    upload.rows_known += len(found)
    upload.rows_unknown += len(unknown)
    makes = upload.unknown == Import.Unknown.CREATE and upload.listing != Import.Listing.REMOVE
    if not makes:
        for item in unknown:
            fail(item.index, NOBODY)
    if upload.state != Import.State.RUNNING:
        _tell_doubles(upload, found, [item for item in unknown if makes], remark)
        return
    people.hold(found.values())
    store([item for item in items if (item.traits if item.index in found else makes)])
    # Those who were made, and whoever was merged before they were held.
    found = _find(upload, items)
    if makes:
        for item in items:
            if item.index not in found:
                fail(item.index, IGNORED)
    _tell_doubles(upload, found, (), remark)
    change = lists.remove if upload.listing == Import.Listing.REMOVE else lists.add
    upload.people_moved += change(upload.segment, list(found.values()), _cause(upload), quiet=not upload.triggers)


def take_others_out(upload: Import) -> bool:
    """Let up to ``LEAVING`` people leave the list whom the file, read to its end, has not named. Says if more are left.

    A file in which nobody is known empties no list.
    """
    named = ImportPerson.objects.filter(upload=upload).exclude(profile_id=None)
    if upload.segment is None or not named.exists():
        upload.error = "Nobody in the file is known, so nobody was taken out of the list."
        return False
    others = SegmentMember.objects.filter(
        ~Exists(named.filter(profile_id=OuterRef("profile_id"))), segment=upload.segment
    )
    ids = list(others.order_by("profile_id").values_list("profile_id", flat=True)[:LEAVING])
    upload.people_moved += lists.remove(upload.segment, ids, _cause(upload), quiet=not upload.triggers)
    return len(ids) == LEAVING


def forget_names(upload: Import) -> None:
    """Forget whom the file has named: it is read to its end, or will be from its beginning."""
    ImportPerson.objects.filter(upload=upload).delete()


def meanings(header: Sequence[str], guessed: Mapping[str, rows.Column], named_by: str) -> dict[str, rows.Column]:
    """Return what the columns of a file for a list mean: one names the person, the others are left out.

    ``named_by`` is a meaning, or nothing where it is to be guessed.
    """
    wanted = (named_by,) if named_by else ("user_id", "email", "anonymous_id")
    by_name = {column.meaning: name for name, column in guessed.items()}
    emails = [name for name, column in guessed.items() if column.name.lower() in rows.EMAILS]
    chosen = next((by_name[meaning] for meaning in wanted if meaning in by_name), None)
    if chosen is None and named_by == "email" and emails:
        chosen = emails[0]
    meaning = named_by or (guessed[chosen].meaning if chosen else "any")
    chosen = chosen or header[0]
    return {name: rows.Column(meaning if name == chosen else rows.IGNORE) for name in header}


def _cause(upload: Import) -> str:
    return f"the file {upload.file_name}"


def _find(upload: Import, items: Sequence[Item]) -> dict[int, int]:
    """Return profile ids by the items' numbers. Four statements at most."""
    named = {item.index: name for item in items if (name := item.user_id or item.email)}
    known = people.by_many(set(named.values())) if named else {}
    found = {index: known[name].pk for index, name in named.items() if name in known}
    visitors = {item.index: item.anonymous_id for item in items if item.anonymous_id}
    if any(column.meaning == "any" for column in rows.columns_of(upload.columns).values()):
        visitors |= {index: name for index, name in named.items() if index not in found}
    wanted = {index: name for index, name in visitors.items() if index not in found}
    if wanted:
        rows_found = Identity.objects.filter(kind=Identity.Kind.ANONYMOUS, value__in=set(wanted.values()))
        by_value = dict(rows_found.values_list("value", "profile_id"))
        found |= {index: by_value[name] for index, name in wanted.items() if name in by_value}
    return found


NAME = """
INSERT INTO events_importperson (upload_id, profile_id, digest, row)
SELECT %(upload)s, profile_id, decode(digest, 'hex'), row
FROM jsonb_to_recordset(%(named)s) AS r(profile_id bigint, digest text, row bigint) ORDER BY row
ON CONFLICT DO NOTHING
"""
FIRST = """
SELECT r.row, n.row FROM jsonb_to_recordset(%(named)s) AS r(profile_id bigint, digest text, row bigint)
JOIN events_importperson n ON n.upload_id = %(upload)s
    AND (n.profile_id = r.profile_id OR n.digest = decode(r.digest, 'hex'))
WHERE n.row < r.row ORDER BY 1
"""


def _tell_doubles(upload: Import, found: Mapping[int, int], unknown: Iterable[Item], remark: Note) -> None:
    """Note whom the slice names, and remark on each who was named before. Two statements."""
    named: list[dict[str, Any]] = [{"profile_id": pk, "row": index} for index, pk in found.items()]
    named += [{"digest": _digest(item), "row": item.index} for item in unknown]
    parameters: dict[str, Any] = {"upload": upload.pk, "named": json.dumps(named)}
    with connection.cursor() as cursor:
        cursor.execute(NAME, parameters)
        cursor.execute(FIRST, parameters)
        doubles: Collection[tuple[int, int]] = cursor.fetchall()
    upload.rows_doubled += len(doubles)
    for row, first in doubles:
        remark(row, TWICE.format(f"{first:,}"))


def _digest(item: Item) -> str:
    """Return what tells apart people whom nobody knows, without keeping their names."""
    name = item.user_id or (item.email or "").lower() or item.anonymous_id or ""
    return hashlib.sha256(name.encode()).hexdigest()
