"""Leave a condition alone that takes too long again and again, so that it does not hold up every batch.

Each statement that asks conditions has ``PATIENCE`` seconds. A version whose condition took longer in ``LIMIT`` batches
in a row rests: what comes for it is parked unasked. When somebody lets parked events try again, it is asked once more.
"""

from __future__ import annotations

from collections.abc import Collection

from django.db import connection
from django.db.models import QuerySet

from campaigns.models import Strain

PATIENCE = 10.0
LIMIT = 3
UNASKED = (
    f"Not asked: the condition took more than {PATIENCE:.0f} seconds in {LIMIT} batches in a row. "
    "Publish one that is quicker, or let this try again when the database has less to do."
)

# Sorted, so that two workers never wait for each other in a circle.
COUNT = """
INSERT INTO campaigns_strain (version_id, in_a_row)
SELECT version_id, 1 FROM unnest(%s::bigint[]) AS slow(version_id) ORDER BY version_id
ON CONFLICT (version_id) DO UPDATE SET in_a_row = campaigns_strain.in_a_row + 1, last_at = now()
"""


def of_versions(version_ids: Collection[int]) -> dict[int, int]:
    """Return in how many batches in a row versions took too long, where they did. One statement."""
    return dict(Strain.objects.filter(version__in=version_ids).values_list("version", "in_a_row"))


def note(slow: Collection[int], recovered: Collection[int]) -> None:
    """Count versions that took too long, and forget it of those that answered. Two statements at most."""
    if slow:
        with connection.cursor() as cursor:
            cursor.execute(COUNT, [sorted(slow)])
    if gone := set(recovered).difference(slow):
        Strain.objects.filter(version__in=gone).delete()


def ask_again(version_ids: Collection[int]) -> None:
    """Let versions that rest be asked once more: one more time too long, and they rest again. One statement."""
    resting().filter(version__in=version_ids).update(in_a_row=LIMIT - 1)


def resting() -> QuerySet[Strain]:
    return Strain.objects.filter(in_a_row__gte=LIMIT)
