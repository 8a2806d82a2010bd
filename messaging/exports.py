"""Write what became of messages as CSV or NDJSON, as a stream: rows are read in keyset batches.

What happened to each afterwards (opened, clicked …) is in the event log under ``Email …``, with its ``message_id``.
"""

from __future__ import annotations

from collections.abc import Iterator

from django.db import connection
from django.http import StreamingHttpResponse

from events.models import Import
from events.transfers import exports, files
from events.transfers.exports import Period, Row

KIND = "messages"
BATCH = 2000
COLUMNS = (
    "message_id",
    "user_id",
    "address",
    "channel",
    "purpose",
    "template",
    "version",
    "subject",
    "provider",
    "status",
    "reason",
    "detail",
    "created_at",
    "sent_at",
)

# Tests, sandboxes and what was redirected are for trying things out, and left out as they are of people and events.
MESSAGES = """
SELECT m.id, m.public_id::text, p.user_id, m.address, m.channel, m.purpose, t.name, v.number, m.subject, pr.name,
       m.status, m.reason, m.detail, m.created_at, m.sent_at
FROM messaging_message m JOIN events_profile p ON p.id = m.profile_id
JOIN messaging_templateversion v ON v.id = m.template_version_id JOIN messaging_template t ON t.id = v.template_id
LEFT JOIN messaging_provider pr ON pr.id = m.provider_id
WHERE m.id > %(after)s AND m.created_at >= %(since)s AND m.created_at < %(until)s
  AND NOT m.is_test AND NOT m.redirected AND NOT p.is_sandbox
ORDER BY m.id LIMIT %(limit)s
"""


def messages(period: Period) -> Iterator[Row]:
    """Yield the messages written in a period, oldest first: ``COLUMNS``."""
    after = 0
    while True:
        with connection.cursor() as cursor:
            cursor.execute(MESSAGES, {"after": after, "limit": BATCH, "since": period.since, "until": period.until})
            found = cursor.fetchall()
        if not found:
            return
        after = found[-1][0]
        for _, *values in found:
            yield dict(zip(COLUMNS, values, strict=True))


def download(file_format: str, period: Period) -> StreamingHttpResponse:
    """Return the messages of ``period`` as a file that streams."""
    rows = messages(period)
    pieces = exports.ndjson(rows) if file_format == Import.Format.NDJSON else exports.csv_file(rows, COLUMNS)
    return files.attachment(KIND, file_format, pieces)
