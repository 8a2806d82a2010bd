"""Segments by API: read them, and fill lists that are kept by hand."""

from __future__ import annotations

import json
import re
import subprocess
import time
from pathlib import Path
from typing import Any

import pytest
from django.test import Client
from pytest_django.live_server_helper import LiveServer

from events.models import AuditEntry, Event, Import, Segment, SegmentMember, Source
from events.segments import building, keeping
from tests.campaigns.flow import make_campaign
from tests.events.api.manage.test_lists import token
from tests.factories import make_profile, make_source
from tests.stack import ROOT
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


def call(method: str, path: str, body: Any = None) -> Any:
    return Client().generic(
        method,
        f"/api/v1/manage/segments/{path}",
        json.dumps(body),
        content_type="application/json",
        headers={"Authorization": f"Bearer {token('segments:write')}"},
    )


def test_a_segment_is_made_changed_and_deleted() -> None:
    ada = make_profile("ada", traits={"plan": "pro"})
    answer = call("POST", "", {"slug": "pro", "name": "Pro", "condition": PRO})
    assert (answer.status_code, answer.json()["state"], answer.json()["kind"]) == (201, "building", "dynamic")
    assert not building.build(time.monotonic() + 30)
    assert [row["user_id"] for row in manage("segments/pro/people/").json()["results"]] == ["ada"]
    before = Segment.objects.get()
    answer = call("PATCH", "pro/", {"name": "Pros", "description": "Who pays"})
    assert (answer.json()["name"], answer.json()["state"], Segment.objects.get().revision) == ("Pros", "live", 1)
    answer = call("PATCH", "pro/", {"condition": {"not": PRO}})
    assert (answer.json()["state"], Segment.objects.get().revision) == ("building", before.revision + 1)
    assert not building.build(time.monotonic() + 30) and not SegmentMember.objects.filter(profile=ada).exists()
    assert call("DELETE", "pro/").status_code == 204 and not Segment.objects.exists()
    assert call("DELETE", "pro/").status_code == 404
    assert AuditEntry.objects.filter(action="segment").count() == 4


def test_a_change_leaves_what_is_counted_meanwhile(vip: Segment, monkeypatch: pytest.MonkeyPatch) -> None:
    check = keeping._check

    def count_meanwhile(*arguments: Any) -> None:
        check(*arguments)
        Segment.objects.update(size=7)

    monkeypatch.setattr(keeping, "_check", count_meanwhile)
    assert call("PATCH", "vip/", {"name": "Very"}).json()["size"] == 7


def test_who_uses_a_segment_is_named_and_keeps_it(vip: Segment) -> None:
    Segment.objects.create(slug="busy", name="Busy", condition={"segment": "vip"})
    make_campaign(goal={"event": "X", "where": {"segment": "vip"}, "hours": 1}, name="Win back")
    answer = call("DELETE", "vip/")
    assert (answer.status_code, answer.json()["code"], answer.json()["field"]) == (409, "in_use", "slug")
    assert answer.json()["message"] == (
        "It is used by Segment “Busy”; Campaign “Win back” (its goal (version 1, live); its goal (the draft)). "
        "Take it out there first."
    )
    assert [use["name"] for use in manage("segments/vip/").json()["used_by"]] == ["Busy", "Win back"]
    assert Segment.objects.count() == 2


@pytest.mark.parametrize(
    ("method", "path", "body", "field"),
    [
        ("POST", "", {"slug": "Not good", "name": "X", "condition": PRO}, "slug"),
        ("POST", "", {"name": "X", "condition": PRO}, "slug"),
        ("POST", "", {"slug": "vip", "name": "X", "condition": PRO}, "slug"),
        ("POST", "", {"slug": "x", "condition": PRO}, "name"),
        ("POST", "", {"slug": "x", "name": "X"}, "condition"),
        ("POST", "", {"slug": "x", "name": "X", "kind": "odd"}, "kind"),
        ("POST", "", {"slug": "x", "name": "X", "kind": "manual", "condition": PRO}, "condition"),
        ("POST", "", {"slug": "x", "name": "X", "condition": {"all": [PRO, {"trait": "a"}]}}, "condition.all[1]"),
        ("POST", "", {"slug": "x", "name": "X", "condition": {"segment": "x"}}, "condition"),
        ("PATCH", "vip/", {"slug": "x"}, "slug"),
        ("PATCH", "vip/", {"name": ""}, "name"),
        ("PATCH", "vip/", {"condition": PRO}, "condition"),
    ],
)
def test_a_segment_that_cannot_be_is_refused(
    vip: Segment, method: str, path: str, body: dict[str, Any], field: str
) -> None:
    answer = call(method, path, body)
    assert (answer.status_code, answer.json()["field"]) == (400, field), answer.json()
    assert list(Segment.objects.values_list("name", "condition")) == [("VIP", None)]


@pytest.mark.django_db(transaction=True)
def test_every_call_of_the_documentation_works(vip: Segment, live_server: LiveServer, tmp_path: Path) -> None:
    """Run the curl commands of docs/management-api.md as they stand, but for host, token and file names."""
    text = (ROOT / "docs" / "management-api.md").read_text()
    section = text.split("\n## Segments and lists\n")[1].split("\n## ")[0]
    commands = re.findall(r"^curl .*?(?<!\\)$", section, re.MULTILINE | re.DOTALL)
    asked = {path for command in commands for path in re.findall(r"manage/(segments/[^\s\"?]*|imports/)", command)}
    assert {"segments/", "segments/pro-plan/", "segments/vip/people/", "imports/"} <= asked and len(commands) >= 8
    for user in ("42", "43"):
        make_profile(user)
    make_source()
    (tmp_path / "people.csv").write_text("user_id\n42\n")
    key = token("segments:write", "imports:write")
    for command in commands:
        command = command.replace("https://messages.example.com", live_server.url).replace("cb_…", key)
        command = command.replace("source=1", f"source={Source.objects.get().pk}")
        done = subprocess.run(
            ["bash", "-c", f"{command} -sS --fail-with-body"], cwd=tmp_path, capture_output=True, text=True, timeout=30
        )
        assert done.returncode == 0, (command, done.stdout, done.stderr)
    assert not Segment.objects.filter(slug="pro-plan").exists(), "it was made, changed and deleted"
    assert Import.objects.get().segment == vip


@pytest.mark.parametrize(
    ("query", "scopes", "status", "field"),
    [
        ("&list=none", ["imports:write", "segments:write"], 400, "list"),
        ("&list=vip&listing=odd", ["imports:write", "segments:write"], 400, "listing"),
        ("&list=vip&named_by=odd", ["imports:write", "segments:write"], 400, "named_by"),
        ("&list=vip", ["imports:write"], 403, "Authorization"),
    ],
)
def test_a_file_for_a_list_that_cannot_be_is_refused(
    vip: Segment, query: str, scopes: list[str], status: int, field: str
) -> None:
    path = f"/api/v1/manage/imports/?source={make_source().pk}&kind=profiles&format=csv{query}"
    head = {"Authorization": f"Bearer {token(*scopes)}"}
    answer = Client().post(path, b"user_id\n42\n", content_type="text/csv", headers=head)
    assert (answer.status_code, answer.json()["field"]) == (status, field)
    assert not Import.objects.exists()


def test_filling_a_list_asks_for_its_scope(vip: Segment) -> None:
    assert post("segments/vip/people/", {"add": []}, token("segments:read")).status_code == 403
    assert post("segments/vip/people/", {"add": []}, token("profiles:write")).status_code == 403
