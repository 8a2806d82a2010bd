"""The question about a segment, as it is offered to people."""

from __future__ import annotations

import pytest

from events.conditions.kinds import known
from events.models import Segment

pytestmark = pytest.mark.django_db


def test_its_form_names_every_segment() -> None:
    Segment.objects.create(slug="vip", name="Very important")
    Segment.objects.create(slug="new", name="Newcomers")
    form = known()["segment"].form
    assert form is not None
    (field,) = form.fields
    assert field.names is not None
    assert list(field.names()) == [("new", "Newcomers"), ("vip", "Very important")]
