"""Paging through big tables: every row once, nothing counted, no OFFSET."""

from __future__ import annotations

import pytest
from django.db import connection
from django.test import RequestFactory
from django.test.utils import CaptureQueriesContext

from events.admin_paging import UncountedPaginator, before_key, page_before
from events.models import Profile
from tests.factories import make_profile


@pytest.mark.django_db
def test_pages_hold_every_row_once_newest_first() -> None:
    keys = [make_profile().pk for _ in range(7)]
    seen, before = [], None
    while True:
        page = page_before(Profile.objects.all(), before, 3)
        seen += [profile.pk for profile in page.rows]
        before = page.older
        if before is None:
            break
    assert seen == sorted(keys, reverse=True)


@pytest.mark.django_db
def test_a_full_last_page_has_no_older_one() -> None:
    for _ in range(3):
        make_profile()
    assert page_before(Profile.objects.all(), None, 3).older is None


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("", None),
        ("before=12", 12),
        ("before=x", None),
        ("before=-1", None),
        ("before=0", None),
        ("before=9" * 9, None),
    ],
)
def test_a_key_is_read_from_the_address_or_else_the_first_page_meant(query: str, expected: int | None) -> None:
    assert before_key(RequestFactory().get(f"/?{query}")) == expected


@pytest.mark.django_db
def test_the_uncounted_paginator_knows_of_a_next_page_without_counting() -> None:
    for _ in range(5):
        make_profile()
    paginator = UncountedPaginator(Profile.objects.order_by("-pk"), 2)
    with CaptureQueriesContext(
        connection,
    ) as queries:
        pages = [paginator.page(number) for number in (1, 2, 3)]
    assert [(len(page.object_list), page.has_next()) for page in pages] == [(2, True), (2, True), (1, False)]
    assert not any("COUNT" in query["sql"] for query in queries)
