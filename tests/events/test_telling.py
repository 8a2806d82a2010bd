"""Conditions are said with the names that people know."""

from typing import Any

import pytest
from pytest_django import DjangoAssertNumQueries

from campaigns.models import Campaign
from events.conditions import ConditionError, parse
from events.conditions.outline import outline
from events.models import Segment
from events.telling import tell
from tests.factories import make_topic

A, B, C = ({"trait": name, "is": 1} for name in "abc")


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("tree", "words"),
    [
        ({"segment": "vip"}, "is in the segment Very good customers"),
        ({"segment": "gone"}, "is in the segment gone"),
        ({"journey": "hello", "is": "in"}, "is in the campaign Welcome & more"),
        (
            {"journey": "hello", "is": "been_in", "within": "7d"},
            "began a campaign called “Welcome & more” in the last 7 days",
        ),
        (
            {"not": {"message": "opened", "campaign": "hello", "template": "Hi"}},
            "did not open an email of the campaign “Welcome & more” made from the template “Hi”",
        ),
        ({"topic": "news", "is": "subscribed"}, "has subscribed to the topic Our news"),
        # A trait that is called so is no question of that kind, nor is a value.
        ({"trait": "segment", "in": ["vip", "hello"]}, "segment is one of “vip”, “hello”"),
    ],
)
def test_short_names_are_said_as_names(tree: dict[str, Any], words: str) -> None:
    Segment.objects.create(name="Very good customers", slug="vip", kind=Segment.Kind.MANUAL)
    Campaign.objects.create(name="Welcome & more", slug="hello")
    make_topic("news", name="Our news")
    assert tell(tree) == words


@pytest.mark.django_db
def test_names_are_read_once_for_each_kind(django_assert_num_queries: DjangoAssertNumQueries) -> None:
    with django_assert_num_queries(1):
        tell({"any": [{"segment": "a"}, {"not": {"all": [{"segment": "b"}, {"segment": "c"}]}}]})
    with django_assert_num_queries(0):
        tell({"trait": "plan", "is": "pro"})


def test_a_mistake_is_told_of_what_was_written() -> None:
    with pytest.raises(ConditionError) as error:
        tell({"all": [{"segment": 3}]})
    assert error.value.path.startswith("all[0]")


def test_what_a_sentence_says_well_has_no_outline() -> None:
    assert outline(parse({"all": [A, {"any": [B, C]}]})) == []


def test_what_is_deeper_is_laid_out_in_lines() -> None:
    lines = outline(parse({"all": [A, {"any": [B, {"not": {"all": [A, {"not": C}]}}]}]}))
    assert lines == [
        (0, "all of these:"),
        (1, "a is 1"),
        (1, "at least one of these:"),
        (2, "b is 1"),
        (2, "not all of these:"),
        (3, "a is 1"),
        (3, "not: c is 1"),
    ]
