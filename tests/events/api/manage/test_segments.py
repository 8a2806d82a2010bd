"""Segments by API: read them, and fill lists that are kept by hand."""

from __future__ import annotations

import json
from typing import Any

import pytest
from django.test import Client

from events.models import AuditEntry, Event, Segment, SegmentMember
from tests.events.api.manage.test_lists import token
from tests.factories import make_profile
from tests.tracking import manage

pytestmark = pytest.mark.django_db
PRO = {"trait": "plan", "is": "pro"}


def post(path: str, body: Any, bearer: str | None = None) -> Any:
    return Client().post(
        f"/api/v1/manage/{path}",
        json.dumps(body),
        content_type="application/json",
        headers={"Authorization": f"Bearer {bearer or token('segments:write')}"},
    )


@pytest.fixture
def vip() -> Segment:
    return Segment.objects.create(slug="vip", name="VIP", kind=Segment.Kind.MANUAL)


def test_segments_and_who_is_in_them_are_read(vip: Segment) -> None:
    Segment.objects.create(slug="pro", name="Pro", condition=PRO, size=7)
    SegmentMember.objects.create(segment=vip, profile=make_profile("ada", traits={"email": "ada@example.com"}))
    assert [row["slug"] for row in manage("segments/").json()["results"]] == ["pro", "vip"]
    shown = manage("segments/pro/").json()
    assert (shown["size"], shown["condition"], shown["state"]) == (7, PRO, "live")
    (row,) = manage("segments/vip/people/").json()["results"]
    assert (row["user_id"], row["email"]) == ("ada", "ada@example.com")
    assert manage("segments/none/").status_code == 404


def test_a_segment_tells_which_names_nobody_has_met(vip: Segment) -> None:
    Segment.objects.create(slug="odd", name="Odd", condition={"all": [{"segment": "vipp"}]})
    Segment.objects.create(slug="unread", name="Unread", condition={"left": "room"})
    (warning,) = manage("segments/odd/").json()["warnings"]
    assert warning == {
        "path": "all[0].segment",
        "message": "There is no segment “vipp”. Did you mean “vip”?",
        "nearest": "vip",
    }
    assert manage("segments/vip/").json()["warnings"] == [] == manage("segments/unread/").json()["warnings"]


def test_people_are_added_and_removed_by_id_or_email(vip: Segment) -> None:
    ada, ben = make_profile("ada"), make_profile("ben", traits={"email": "Ben@example.com"})
    SegmentMember.objects.create(segment=vip, profile=ada)
    answer = post("segments/vip/people/", {"add": ["ben@example.com", "ben", "eve"], "remove": ["ada"]})
    assert answer.json() == {"added": 1, "removed": 1, "unknown": ["eve"]}
    assert list(SegmentMember.objects.values_list("profile_id", flat=True)) == [ben.pk]
    assert set(Event.objects.values_list("name", "profile_id")) == {
        ("Segment Entered", ben.pk),
        ("Segment Left", ada.pk),
    }
    assert AuditEntry.objects.get(action="members").details["segment"] == "vip"


@pytest.mark.parametrize(
    ("slug", "body", "status", "field"),
    [
        ("vip", {"add": "ada"}, 400, "add"),
        ("vip", {"add": [7]}, 400, "add"),
        ("vip", {"put": []}, 400, "put"),
        ("vip", {"add": ["x"] * 1001}, 400, "add"),
        ("pro", {"add": ["ada"]}, 409, "slug"),
    ],
)
def test_a_mistake_is_named_and_nothing_done(vip: Segment, slug: str, body: Any, status: int, field: str) -> None:
    Segment.objects.create(slug="pro", name="Pro", condition=PRO)
    make_profile("ada")
    answer = post(f"segments/{slug}/people/", body)
    assert (answer.status_code, answer.json()["field"]) == (status, field)
    assert not SegmentMember.objects.exists()


def test_filling_a_list_asks_for_its_scope(vip: Segment) -> None:
    assert post("segments/vip/people/", {"add": []}, token("segments:read")).status_code == 403
    assert post("segments/vip/people/", {"add": []}, token("profiles:write")).status_code == 403
