"""Search what is kept as text for erased people: calls kept for the debugger, violations, failed rows, the admin's log.

Nothing there leads to a person by a key, so it is read through, in short transactions, soon after the erasing. Whatever
may mean them goes: a word too many costs a row of the debugger, a word too few would break the promise. ``Erasure``
holds the words until the search is over; whoever is killed meanwhile starts anew.
"""

from __future__ import annotations

import json
from urllib.parse import quote

from django.db import connection

from events import sandbox
from events.models import Erasure

CHUNK = 2000
# A text this long means the same wherever it stands; a shorter one counts only as a whole value.
TELLING = 12

SEARCH = """
WITH chunk AS MATERIALIZED (
    SELECT id, lower(concat_ws(' ', '', {columns}, '')) AS words FROM {table}
    WHERE id > %(after)s ORDER BY id LIMIT %(chunk)s
), done AS (
    {act} WHERE id IN (SELECT id FROM chunk WHERE words LIKE ANY(%(patterns)s))
)
SELECT max(id) FROM chunk
"""
DELETED = (
    ("events_inboundrequest", "path, client, headers::text, body, answer::text"),
    ("events_violation", "path, message, sample::text"),
    ("events_importfailure", "message, raw"),
)
ADMIN_LOG = "django_admin_log"
PLACES = [
    *(SEARCH.format(table=table, columns=columns, act=f"DELETE FROM {table}") for table, columns in DELETED),
    SEARCH.format(
        table=ADMIN_LOG,
        columns="""'"' || object_repr || '"', change_message""",
        act=f"UPDATE {ADMIN_LOG} SET object_repr = 'Erased', change_message = ''",
    ),
]


def search() -> int:
    """Search for everybody whose search is due; return how many erasures that were."""
    due = list(Erasure.objects.order_by("pk"))
    patterns = {pattern for erasure in due for word in erasure.words for pattern in patterns_of(word)}
    if patterns:
        for place in PLACES:
            _search(place, sorted(patterns))
    Erasure.objects.filter(pk__in=[erasure.pk for erasure in due]).delete()
    return len(due)


def patterns_of(word: str) -> set[str]:
    """Return the LIKE patterns, in lower case, that find ``word`` in JSON, in an address or in a form's body."""
    plain = word.removeprefix(sandbox.PREFIX).lower()
    if not plain:
        return set()
    in_json = {json.dumps(plain)[1:-1], json.dumps(plain, ensure_ascii=False)[1:-1]}
    in_address = {plain, *(quote(plain, safe=safe).lower() for safe in ("", "/", "@:+"))}
    if len(plain) >= TELLING or "@" in plain:
        return {f"%{_escaped(text)}%" for text in in_json | in_address}
    found = {f'%"{_escaped(text)}"%' for text in in_json}
    found |= {f"%{a}{_escaped(text)}{z}%" for text in in_address for a in "/=" for z in ("/", "?", "&", " ")}
    if plain.lstrip("-").isdecimal():
        found |= {f"%:{gap}{plain}{end}%" for gap in ("", " ") for end in (",", "}", " ", "\n", "\r")}
    return found


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")


def _search(place: str, patterns: list[str]) -> None:
    after: int | None = 0
    while after is not None:
        with connection.cursor() as cursor:
            cursor.execute(place, {"after": after, "chunk": CHUNK, "patterns": patterns})
            after = cursor.fetchone()[0]
