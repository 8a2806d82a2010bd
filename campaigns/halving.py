"""Find which of several questions fails: ask in halves, each in a savepoint of its own, until it stands alone."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeVar

from django.db import DatabaseError, OperationalError, transaction
from psycopg import errors

LONGEST_ERROR = 2_000
# What a condition may do wrong while its statement is made or run.
FAULTS = (DatabaseError, ValueError, TypeError, LookupError, ArithmeticError)

Thing = TypeVar("Thing")
Answer = TypeVar("Answer")


def is_outage(error: BaseException) -> bool:
    """Say whether the database is to blame, not what it was asked: it is gone, or others were in the way."""
    return isinstance(error, OperationalError) and not took_too_long(error)


def took_too_long(error: BaseException) -> bool:
    return isinstance(error.__cause__, errors.QueryCanceled)


def apart(
    things: Sequence[Thing], ask: Callable[[Sequence[Thing]], Sequence[Answer]], split: Callable[[Thing], list[Thing]]
) -> list[tuple[Thing, Answer | BaseException]]:
    """Ask about ``things``; return each with its answer, or with the error where it fails on its own.

    A thing that fails is split in two by ``split`` until it cannot be; one that takes too long is not, as each half may
    take as long again. Raises what is an outage. Statements: two where nothing fails, else some for each failure.
    """
    if not things:
        return []
    try:
        with transaction.atomic():
            return list(zip(things, ask(things), strict=True))
    except FAULTS as error:
        if is_outage(error):
            raise
        halves = _halves(things, error, split)
        if not halves:
            return [(thing, error) for thing in things]
    return [found for half in halves for found in apart(half, ask, split)]


def _halves(
    things: Sequence[Thing], error: BaseException, split: Callable[[Thing], list[Thing]]
) -> list[Sequence[Thing]]:
    if len(things) > 1:
        middle = len(things) // 2
        return [things[:middle], things[middle:]]
    parts = [] if took_too_long(error) else split(things[0])
    return [[part] for part in parts]


def said(error: BaseException) -> str:
    """Say an error in a line or two that the database can store."""
    return f"{type(error).__name__}: {error}".replace("\0", "").strip()[:LONGEST_ERROR]
