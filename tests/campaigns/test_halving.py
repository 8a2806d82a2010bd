"""Which of several questions fails: asked of a real database, with real errors and a real time limit."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from django.db import OperationalError, connection
from psycopg.errors import DeadlockDetected

from campaigns.halving import apart, said

pytestmark = pytest.mark.django_db
asked: list[list[str]] = []


def ask(questions: Sequence[str]) -> list[object]:
    """Ask all in one statement: each question is an expression, or several joined by a semicolon."""
    asked.append(list(questions))
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL statement_timeout = '300ms'")
        cursor.execute("SELECT " + ", ".join(f"ARRAY[{question.replace(';', ',')}]" for question in questions))
        return list(cursor.fetchone())


def split(question: str) -> list[str]:
    head, _, tail = question.partition(";")
    return [head, tail] if tail else []


def test_what_does_not_fail_is_asked_once() -> None:
    asked.clear()
    assert apart(["1", "2", "3"], ask, split) == [("1", [1]), ("2", [2]), ("3", [3])]
    assert len(asked) == 1
    assert apart([], ask, split) == []


def test_the_one_that_fails_is_found_and_the_others_are_answered() -> None:
    found = dict(apart(["1", "2", "1/(1-1)", "4", "5"], ask, split))
    error = found.pop("1/(1-1)")
    assert isinstance(error, BaseException) and said(error) == "DataError: division by zero"
    assert found == {"1": [1], "2": [2], "4": [4], "5": [5]}


def test_a_part_that_fails_leaves_the_other_part() -> None:
    found = dict(apart(["7", "1;1/(1-1)"], ask, split))
    assert found["7"] == [7] and found["1"] == [1]
    assert isinstance(found["1/(1-1)"], BaseException)


def test_what_takes_too_long_is_not_asked_in_parts() -> None:
    asked.clear()
    long = "length(pg_sleep(5)::text);2"
    found = dict(apart(["1", long], ask, split))
    assert found["1"] == [1]
    assert "statement timeout" in said(found[long])  # type: ignore[arg-type]
    assert asked == [["1", long], ["1"], [long]]


def test_a_database_in_trouble_is_nobodys_fault() -> None:
    def lose(questions: Sequence[str]) -> list[object]:
        raise OperationalError("deadlock detected") from DeadlockDetected()

    with pytest.raises(OperationalError):
        apart(["1", "2"], lose, split)
