"""A file goes in once: checked first, then row by row, whatever happens on the way."""

from __future__ import annotations

import json
import time
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from events.models import Event, Import, ImportChunk, Pending, Profile
from events.transfers import imports
from events.transfers.reading import RowError
from tests.factories import make_profile, make_source, planned

pytestmark = pytest.mark.django_db
State = Import.State


def upload(data: bytes, kind: str = Import.Kind.EVENTS, file_format: str = Import.Format.CSV, **columns: Any) -> Import:
    new = Import(kind=kind, format=file_format, source=make_source(), file_name="file", **columns)
    imports.store(new, [data[n : n + 1000] for n in range(0, len(data), 1000)])
    return new


def go(new: Import, state: str) -> Import:
    assert imports.begin(new, state)
    assert not imports.work(time.monotonic() + 60)
    new.refresh_from_db()
    return new


def events_file(count: int) -> bytes:
    rows = [f"user-{n % 7},Ordered,2026-01-{n % 28 + 1:02}T00:00:00Z,{n}" for n in range(count)]
    return "\n".join(["user_id,event,timestamp,total", *rows]).encode()


def test_a_check_stores_nothing_and_says_what_is_wrong() -> None:
    make_profile("ada")
    data = b"user_id,event,total\nada,Ordered,1\n,Ordered,2\nbob,,3\nbob,Ordered,4\n"
    new = go(upload(data), State.CHECKING)
    assert (new.state, new.rows_done, new.rows_failed, new.rows_known) == (State.CHECKED, 4, 2, 1)
    assert [(f.row, f.field) for f in new.failures.order_by("row")] == [(2, "user_id"), (3, "event")]
    assert (Event.objects.count(), Profile.objects.count()) == (0, 1)


def test_a_run_stores_the_good_rows_beside_the_bad_ones() -> None:
    new = upload(b"user_id,event,total\nada,Ordered,1\n,Ordered,2\nbob,Ordered,4\n")
    go(new, State.CHECKING)
    go(new, State.RUNNING)
    assert (new.state, new.rows_done, new.rows_failed) == (State.DONE, 3, 1)
    assert sorted(Event.objects.values_list("profile__user_id", "properties__total")) == [("ada", 1), ("bob", 4)]
    assert not Pending.objects.exists(), "history starts nothing"


def test_a_row_that_the_tracking_plan_refuses_fails_alone_with_its_number() -> None:
    planned("Ordered", schema={"properties": {"total": {"type": "number"}}}, schema_mode="block")
    new = go(upload(b"user_id,event,total\nada,Ordered,1\nbob,Ordered,dear\nbob,Ordered,4\n"), State.RUNNING)
    assert (new.state, new.rows_done, new.rows_failed) == (State.DONE, 3, 1)
    failure = new.failures.get()
    assert (failure.row, failure.field, failure.raw.strip()) == (2, "properties.total", "bob,Ordered,dear")
    assert Event.objects.count() == 2


def test_events_start_campaigns_only_when_asked_to() -> None:
    go(upload(b"user_id,event\nada,Ordered", triggers=True), State.RUNNING)
    assert Pending.objects.count() == 1


def test_a_file_of_many_slices_arrives_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(imports, "CHUNK", 4096)
    monkeypatch.setattr(imports, "SLICE_BYTES", 8192)
    monkeypatch.setattr(imports, "SLICE_ROWS", 70)
    new = go(upload(events_file(1500)), State.RUNNING)
    assert (new.rows_done, new.rows_failed, new.position) == (1500, 0, new.size)
    totals = set(Event.objects.values_list("properties__total", flat=True))
    assert totals == set(range(1500))


def test_the_same_file_again_counts_nothing_twice() -> None:
    source = make_source()
    data = events_file(50)
    for repeated in (0, 50):
        new = Import(kind="events", format="csv", source=source, file_name="file")
        imports.store(new, [data])
        assert go(new, State.RUNNING).rows_repeated == repeated
    assert Event.objects.count() == 50


@pytest.mark.parametrize(
    "data",
    [
        '\ufeff"user_id";"name";"note"\r\n"ada";"Ada";"x;y"\r\n',
        'sep=;\nuser_id;name;note\nada;Ada;"x;y"',
        'user_id,name,note,,\nada,Ada,x;y,,"left out"\n',
    ],
)
def test_files_of_spreadsheets_are_read(data: str) -> None:
    new = go(upload(data.encode(), Import.Kind.PROFILES), State.RUNNING)
    assert (new.state, new.rows_done, new.rows_failed) == (State.DONE, 1, 0)
    assert Profile.objects.get(user_id="ada").traits == {"name": "Ada", "note": "x;y"}


@pytest.mark.parametrize("encoding", ["utf-8", "cp1252", "utf-16"])
def test_a_file_may_be_written_in_other_letters(encoding: str) -> None:
    data = "user_id,name\nada,Zoë Müller\n".encode(encoding)
    new = Import(kind="profiles", format="csv", source=make_source(), file_name="file")
    imports.store(new, [data[n : n + 3] for n in range(0, len(data), 3)], encoding)
    assert go(new, State.RUNNING).rows_failed == 0
    assert Profile.objects.get().traits == {"name": "Zoë Müller"}


def test_letters_that_are_none_of_the_encoding_are_refused() -> None:
    new = Import(kind="profiles", format="csv", source=make_source(), file_name="file")
    with pytest.raises(RowError, match="not UTF-16"):
        imports.store(new, [b"\xff\xfeu\0s\0\x00\xd8x\0"], "utf-16")
    assert not Import.objects.exists()


def test_people_keep_what_the_file_does_not_speak_of() -> None:
    make_profile("ada", traits={"plan": "free", "age": 36})
    lines = [{"user_id": "ada", "traits": {"plan": "pro"}}, {"user_id": "bob", "email": "bob@example.com"}]
    data = "\n".join(map(json.dumps, lines)).encode()
    go(upload(data, Import.Kind.PROFILES, Import.Format.NDJSON), State.RUNNING)
    assert Profile.objects.get(user_id="ada").traits == {"plan": "pro", "age": 36}
    bob = Profile.objects.get(user_id="bob")
    assert (bob.email, bob.last_seen_at) == ("bob@example.com", None)


def test_a_cancelled_import_stops_where_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(imports, "SLICE_ROWS", 10)
    new = upload(events_file(50))
    imports.begin(new, State.RUNNING)
    assert imports.work_slice()
    assert imports.cancel(new)
    assert not imports.work_slice()
    new.refresh_from_db()
    assert (new.state, new.rows_done, Event.objects.count()) == (State.CANCELLED, 10, 10)
    assert not imports.cancel(new), "it is over"
    assert not imports.begin(new, State.RUNNING)


def test_a_slice_that_fails_leaves_no_half_behind_and_others_go_on(monkeypatch: pytest.MonkeyPatch) -> None:
    broken, sound = upload(events_file(5)), upload(b"user_id,event\nada,Signed Up")
    imports.begin(broken, State.RUNNING)
    imports.begin(sound, State.RUNNING)
    store = imports.ingest.ingest

    def failing(source: Any, *arguments: Any) -> Any:
        result = store(source, *arguments)
        if source == broken.source:
            raise RuntimeError("boom")
        return result

    monkeypatch.setattr(imports.ingest, "ingest", failing)
    assert not imports.work(time.monotonic() + 60)
    broken.refresh_from_db()
    sound.refresh_from_db()
    assert (broken.state, broken.error, sound.state) == (State.FAILED, "RuntimeError: boom", State.DONE)
    assert list(Event.objects.values_list("name", flat=True)) == ["Signed Up"]


def test_a_small_file_does_not_wait_for_a_large_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(imports, "SLICE_ROWS", 10)
    large, small = upload(events_file(50)), upload(events_file(5))
    imports.begin(large, State.RUNNING)
    assert imports.work_slice()
    imports.begin(small, State.CHECKING)
    assert imports.work_slice()
    large.refresh_from_db()
    small.refresh_from_db()
    assert (large.rows_done, small.state) == (10, State.CHECKED)


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "empty"),
        (b"user_id,email,email\n1,a,b", "“email”"),
        (b",,\n1,2,3", "name the columns"),
        ('"Zoë'.encode("latin-1"), "quot"),
    ],
)
def test_a_file_that_is_none_is_refused_at_once(data: bytes, message: str) -> None:
    with pytest.raises(RowError, match=message):
        upload(data)
    assert not Import.objects.exists()


def test_the_number_of_statements_does_not_depend_on_the_rows() -> None:
    for name in {f"user-{n}" for n in range(7)}:
        make_profile(name)
    counts = []
    for rows in (10, 900):
        imports.begin(upload(events_file(rows)), State.RUNNING)
        with CaptureQueriesContext(connection) as captured:
            imports.work_slice()
        counts.append(len(captured))
    assert counts[0] == counts[1] < 20


def test_files_are_forgotten_some_time_after_the_end() -> None:
    new = go(upload(events_file(3)), State.RUNNING)
    assert new.finished_at is not None
    imports.forget_files(new.finished_at)
    assert ImportChunk.objects.exists()
    imports.forget_files(new.finished_at + imports.KEEP_FILES)
    assert not ImportChunk.objects.exists()
