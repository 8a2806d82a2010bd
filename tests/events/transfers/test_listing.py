"""A file puts people on a list that is kept by hand, takes them off, or says who is on it."""

from __future__ import annotations

import time
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client

from events import merging
from events.models import Event, Import, ImportPerson, Profile, Segment
from events.segments import changes, lists
from events.transfers import imports
from tests.events.segments.test_membership import ACTOR, members
from tests.factories import make_profile, make_source

pytestmark = pytest.mark.django_db
State = Import.State


@pytest.fixture
def vip() -> Segment:
    return Segment.objects.create(slug="vip", name="VIP", kind=Segment.Kind.MANUAL)


def upload(vip: Segment, text: str, listing: str = "add", named_by: str = "", **columns: Any) -> Import:
    new = Import(
        kind="profiles", format="csv", source=make_source(), file_name="x.csv", segment=vip, listing=listing, **columns
    )
    imports.store(new, [text.encode()], named_by=named_by)
    return new


def go(new: Import, state: str = State.RUNNING) -> Import:
    assert imports.begin(new, state)
    assert not imports.work(time.monotonic() + 60)
    new.refresh_from_db()
    assert not ImportPerson.objects.exists(), "names are forgotten at the end"
    return new


def remarks(new: Import) -> list[tuple[int, str]]:
    return list(new.failures.order_by("row").values_list("row", "message"))


def test_a_check_tells_who_is_known_who_is_not_and_who_is_named_twice(vip: Segment) -> None:
    make_profile("ada", traits={"email": "ada@example.com"})
    new = upload(vip, "who\nada\nADA@example.com\neve\neve\n", named_by="any", unknown="create")
    go(new, State.CHECKING)
    assert (new.state, new.rows_done, new.rows_known, new.rows_unknown) == (State.CHECKED, 4, 2, 2)
    assert remarks(new) == [(2, "The same person as in row 1."), (4, "The same person as in row 3.")]
    assert (new.rows_doubled, new.rows_failed) == (2, 0)
    assert Profile.objects.count() == 1 and not members(vip)


def test_unknown_people_are_left_out_or_made(vip: Segment) -> None:
    ada = make_profile("ada")
    new = go(upload(vip, "user_id,plan\nada,pro\neve,pro\n", unknown="skip"))
    assert remarks(new) == [(2, "Nobody is known by this. The row is left out.")]
    assert (members(vip), new.people_moved, Profile.objects.count()) == ({ada.pk}, 1, 1)
    go(upload(vip, "user_id,plan\nada,pro\neve,pro\n", unknown="create"))
    assert members(vip) == {ada.pk, Profile.objects.get(user_id="eve").pk}
    ada.refresh_from_db()
    assert ada.traits == {}, "other columns are left out unless somebody says what they mean"


def test_they_are_named_by_what_the_column_holds(vip: Segment) -> None:
    ada = make_profile("ada", traits={"email": "ada@example.com"})
    ben = make_profile(None, anonymous_ids=("phone",))
    go(upload(vip, "name,email\nAda,ada@example.com\n"))
    assert members(vip) == {ada.pk}
    go(upload(vip, "anonymous_id\nphone\n"))
    assert members(vip) == {ada.pk, ben.pk}
    go(upload(vip, "x\nada\nphone\n", "remove", "any"))
    assert members(vip) == set()
    go(upload(vip, "ada@example.com\nphone\n"))
    assert members(vip) == {ada.pk, ben.pk}, "a first line with an email is no header"


def test_campaigns_hear_of_it_where_they_may(vip: Segment) -> None:
    ada = make_profile("ada")
    go(upload(vip, "user_id\nada\n"))
    assert not Event.objects.exists()
    go(upload(vip, "user_id\nada\n", "remove", triggers=True))
    assert list(Event.objects.values_list("name", "profile")) == [(changes.LEFT, ada.pk)]
    while changes.fold():
        pass
    vip.refresh_from_db()
    assert (vip.size, vip.changed_by) == (0, "the file x.csv")


def test_replacing_takes_the_others_out_in_slices(vip: Segment, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("events.transfers.listing.LEAVING", 2)
    monkeypatch.setattr(imports, "SLICE_ROWS", 2)
    people = [make_profile(f"u{number}") for number in range(9)]
    lists.add(vip, [person.pk for person in people[:7]])
    new = go(upload(vip, "user_id\nu5\nu6\nu7\nu8\n", "replace"))
    assert members(vip) == {person.pk for person in people[5:]}
    assert new.people_moved == 2 + 5


def test_a_file_of_strangers_empties_no_list(vip: Segment) -> None:
    ada = make_profile("ada")
    lists.add(vip, [ada.pk])
    new = go(upload(vip, "user_id\neve\n", "replace", unknown="skip"))
    assert members(vip) == {ada.pk} and "nobody was taken out" in new.error


def test_whoever_is_merged_meanwhile_stays(vip: Segment, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(imports, "SLICE_ROWS", 1)
    loser, winner, other = make_profile("loser"), make_profile("winner"), make_profile("other")
    lists.add(vip, [other.pk])
    new = upload(vip, "user_id\nloser\nnobody\n", "replace", unknown="skip")
    imports.begin(new, State.RUNNING)
    imports.work_slice()
    merging.merge_people(loser.pk, winner.pk, ACTOR)
    assert not imports.work(time.monotonic() + 60)
    assert members(vip) == {winner.pk}


def test_the_page_of_a_list_takes_a_file_and_gives_one(admin_client: Client, vip: Segment) -> None:
    make_profile("ada", traits={"city": "Graz"})
    page = f"/admin/events/segment/{vip.pk}/"
    text = admin_client.get(f"{page}change/").content.decode()
    assert "Or by a file" in text and f"<dd>{vip.pk}</dd>" in text
    file = SimpleUploadedFile("vip.csv", b"user_id\nada\neve\n")
    said = {"file": file, "listing": "add", "unknown": "skip", "source": make_source().pk}
    answer = admin_client.post(f"{page}file/", said, follow=True)
    assert imports.work(time.monotonic() + 60) is False
    new = Import.objects.get()
    text = admin_client.get(answer.redirect_chain[-1][0]).content.decode()
    assert "1 rows name people who are known, 1 name nobody known" in text and "Add these people" in text
    admin_client.post(f"/admin/events/import/{new.pk}/start/")
    assert imports.work(time.monotonic() + 60) is False
    exported = admin_client.post(f"{page}members.csv")
    lines = b"".join(exported.streaming_content).decode().splitlines()  # type: ignore[attr-defined]
    assert len(lines) == 2 and lines[1].startswith("ada,") and lines[1].endswith(",Graz")
    answer = admin_client.post(f"{page}file/", {"listing": "add"}, follow=True)
    assert "Choose a CSV file" in answer.content.decode()
