"""Frozen templates."""

from __future__ import annotations

import pytest
from django.db import DatabaseError, transaction

from messaging.models import Layout, Purpose
from messaging.versions import freeze
from tests.factories import make_provider, make_template

pytestmark = pytest.mark.django_db


def test_the_same_content_is_the_same_version() -> None:
    template = make_template()
    assert freeze(template) == freeze(template)


def test_every_change_makes_a_new_version() -> None:
    template = make_template(layout=Layout.objects.create(name="Frame", html="<main>{{ content }}</main>"))
    numbers = [freeze(template).number]
    for field, value in (
        ("subject", "New"),
        ("purpose", Purpose.TRANSACTIONAL),
        ("provider", make_provider()),
        ("from_email", "Ada <ada@acme.example>"),
    ):
        setattr(template, field, value)
        template.save()
        numbers.append(freeze(template).number)
    assert template.layout is not None
    template.layout.html = "<div>{{ content }}</div>"
    template.layout.save()
    numbers.append(freeze(template).number)
    assert numbers == [1, 2, 3, 4, 5, 6]


def test_going_back_finds_the_old_version() -> None:
    template = make_template(subject="One")
    first = freeze(template)
    template.subject = "Two"
    template.save()
    freeze(template)
    template.subject = "One"
    template.save()
    assert freeze(template) == first


def test_freezes_what_is_stored_not_what_is_edited() -> None:
    template = make_template(subject="Stored")
    template.subject = "Edited"
    assert freeze(template).content["subject"] == "Stored"


def test_a_version_never_changes() -> None:
    version = freeze(make_template())
    version.content = {}
    with pytest.raises(DatabaseError, match="never changes"), transaction.atomic():
        version.save()
