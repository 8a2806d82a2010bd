"""Days of a cron line: as cron and Celery read them, with words for what is wrong; a timetable that goes by them."""

from __future__ import annotations

from datetime import date, timedelta

import pytest
from celery.schedules import crontab_parser
from django.test import Client
from hypothesis import given
from hypothesis import strategies as st

from campaigns.engine import cron
from campaigns.engine.cron import CronError
from campaigns.engine.definition import problems
from tests.campaigns.flow import make_campaign
from tests.campaigns.form import EditorPage


def days(line: str, start: date = date(2026, 1, 1), number: int = 366) -> list[date]:
    parsed = cron.parse(line)
    return [day for day in (start + timedelta(days=n) for n in range(number)) if parsed.falls_on(day)]


@pytest.mark.parametrize(
    ("line", "first"),
    [
        ("1,15 * *", ["01-01", "01-15", "02-01"]),
        ("* * mon-fri", ["01-01", "01-02", "01-05"]),
        ("* * 1-5", ["01-01", "01-02", "01-05"]),
        ("* * 0", ["01-04", "01-11", "01-18"]),
        ("* * 7", ["01-04", "01-11", "01-18"]),
        ("1 */3 *", ["01-01", "04-01", "07-01"]),
        ("31 * *", ["01-31", "03-31", "05-31"]),
        ("*/10 feb *", ["02-01", "02-11", "02-21"]),
        ("13 * FRI", ["01-02", "01-09", "01-13"]),  # either counts
        ("20/5 jan,dec *", ["01-20", "01-25", "01-30"]),
    ],
)
def test_a_line_names_days(line: str, first: list[str]) -> None:
    assert [f"{day:%m-%d}" for day in days(line)[:3]] == first


def test_the_rarest_day_comes() -> None:
    assert days("29 2 *", date(2027, 1, 1), 800) == [date(2028, 2, 29)]


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("", "needs three fields"),
        ("* *", "needs three fields"),
        ("0 9 1 * *", "leave out the minute and the hour"),
        ("32 * *", "goes from 1 to 31"),
        ("* 13 *", "goes from 1 to 12"),
        ("* * 8", "goes from 0 to 7"),
        ("0 * *", "goes from 1 to 31"),
        ("* * someday", "is not a day of the week"),
        ("5-1 * *", "goes backwards"),
        ("*/0 * *", "goes on by 0"),
        ("1;2 * *", "is not a day of the month"),
        ("30 2 *", "no day of the calendar"),
    ],
)
def test_a_mistake_is_said_in_words(line: str, words: str) -> None:
    with pytest.raises(CronError, match=words):
        cron.parse(line)
    tree = {"kind": "schedule", "repeat": "cron", "cron": line, "at": "09:00"}
    found = problems({"trigger": tree, "steps": [{"id": "end", "kind": "exit"}]})
    assert [problem.path for problem in found] == ["trigger.cron"]


numbers = st.integers(1, 31)
parts = st.one_of(
    numbers.map(str),
    st.tuples(numbers, numbers).map(lambda pair: f"{min(pair)}-{max(pair)}"),
    st.tuples(numbers, numbers, st.integers(1, 9)).map(lambda three: f"{min(three[:2])}-{max(three[:2])}/{three[2]}"),
    st.integers(1, 9).map(lambda step: f"*/{step}"),
)


@given(st.lists(parts, min_size=1, max_size=4).map(",".join))
def test_days_are_those_that_celery_reads(text: str) -> None:
    assert cron.parse(f"{text} * *").days == crontab_parser(31, 1).parse(text)


@pytest.mark.django_db
def test_a_card_takes_a_line_and_says_what_comes(admin_client: Client) -> None:
    page = EditorPage(admin_client, make_campaign()).fill({"trigger-kind": "schedule"}).press("kind")
    page.fill({"trigger-repeat": "cron", "trigger-cron": "1,15 * *", "trigger-at": "08:30"}).press()
    assert page.draft["trigger"]["cron"] == "1,15 * *"
    assert "On the days “1,15 * *” of a cron line at 08:30" in page.html
    page.fill({"trigger-cron": "32 * *"}).press()
    assert "goes from 1 to 31" in page.html
