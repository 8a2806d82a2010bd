"""How many people meet a condition now? Asked only when somebody wants to know, and never for long."""

from __future__ import annotations

from django.db import OperationalError, connection, transaction
from django.utils import timezone
from psycopg import errors

from events.audience import compile_condition, profiles
from events.conditions import Node
from events.models import Profile

SECONDS = 15
# Sets of people are held in memory, so that each event is read once; and what is asked for is mostly in memory as well,
# where an index costs less than the server thinks by default.
MEMORY = "256MB"
LIMIT = """
SELECT set_config('statement_timeout', %s, true), set_config('work_mem', %s, true),
       set_config('random_page_cost', '1.1', true)
"""


class TooLong(Exception):
    """Raised when counting takes longer than anybody would wait."""


def count(node: Node, seconds: float = SECONDS) -> int:
    """Return how many people meet ``node`` now, test people left out. Raises TooLong after ``seconds``."""
    people = Profile.objects.filter(compile_condition(node, profiles(timezone.now(), everyone=True)), is_test=False)
    try:
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute(LIMIT, [str(int(seconds * 1000)), MEMORY])
            return people.count()
    except OperationalError as error:
        if isinstance(error.__cause__, errors.QueryCanceled):
            raise TooLong from None
        raise
