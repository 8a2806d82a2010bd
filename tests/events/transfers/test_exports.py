"""What is written can be read in again, value for value."""

from __future__ import annotations

import csv
import json
import time
from datetime import UTC, datetime
from typing import Any

import msgspec
import pytest

from events.ingest import Item, ingest
from events.models import Event, Identity, Import, Profile
from events.transfers import exports, imports
from events.transfers.files import PROFILE_COLUMNS
from tests.factories import make_event, make_profile, make_source

pytestmark = pytest.mark.django_db
PERIOD = exports.Period(datetime(2026, 1, 1, tzinfo=UTC), datetime(2026, 2, 1, tzinfo=UTC))
AT = datetime(2026, 1, 15, 12, tzinfo=UTC)


def joined(pieces: Any) -> str:
    return b"".join(pieces).decode()


def bring_back(kind: str, data: str, file_format: str) -> None:
    new = Import(kind=kind, format=file_format, source=make_source(), file_name="file")
    imports.store(new, [data.encode()])
    imports.begin(new, Import.State.RUNNING)
    imports.work(time.monotonic() + 30)
    new.refresh_from_db()
    assert (new.state, new.rows_failed) == (Import.State.DONE, 0)


def test_people_written_as_ndjson_come_back_the_same() -> None:
    traits = {
        "email": "ada@example.com",
        "age": 36,
        "zip": "0042",
        "tags": ["a", {"b": None}],
        "=odd": "=1+1",
        "ü": 1.5,
    }
    make_profile("ada", traits=traits)
    written = joined(exports.ndjson(exports.profiles()))
    Identity.objects.all().delete()
    Profile.objects.all().delete()
    bring_back(Import.Kind.PROFILES, written, Import.Format.NDJSON)
    assert Profile.objects.get().traits == traits


@pytest.mark.parametrize("file_format", Import.Format.values)
def test_people_without_a_user_id_come_back_too(file_format: str) -> None:
    make_profile("ada", anonymous_ids=("phone",), traits={"plan": "pro", "user_id": "her own"})
    make_profile(None, anonymous_ids=("device",), traits={"plan": "free"})
    source = make_source()
    ben = Item("identify", "m", AT, email="ben@example.com", traits={"plan": msgspec.Raw(b'"trial"')})
    ingest(source, [ben], AT)
    rows = exports.profiles()
    names = exports.trait_names()
    pieces = (
        exports.ndjson(rows) if file_format == "ndjson" else exports.csv_file(rows, PROFILE_COLUMNS, "traits", names)
    )
    written = joined(pieces)
    before = known()
    for model in (Event, Identity, Profile):
        model.objects.all().delete()
    bring_back(Import.Kind.PROFILES, written, file_format)
    assert known() == before


def known() -> set[tuple[str, ...]]:
    return {
        (str(p.user_id), p.email, json.dumps(p.traits, sort_keys=True), *p.identities.values_list("value", flat=True))
        for p in Profile.objects.all()
    }


def test_events_written_as_ndjson_come_back_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(exports, "BATCH", 2)
    ada, visitor = make_profile("ada"), make_profile(None, anonymous_ids=("device",))
    for n in range(5):
        make_event(ada, "Ordered", {"total": n}, timestamp=AT, message_id=f"m{n}")
    make_event(visitor, "Looked", timestamp=AT, message_id="m5")
    make_event(ada, "Outside", timestamp=datetime(2026, 2, 1, tzinfo=UTC))
    ingest(make_source(), [Item("track", "m6", AT, email="ben@example.com", name="Read")], AT)
    ben = Profile.objects.get(email="ben@example.com")
    written = joined(exports.ndjson(exports.events(PERIOD)))
    Event.objects.all().delete()
    bring_back(Import.Kind.EVENTS, written, Import.Format.NDJSON)
    found = set(Event.objects.values_list("profile_id", "name", "timestamp", "message_id", "properties__total"))
    assert found == {(ada.pk, "Ordered", AT, f"m{n}", n) for n in range(5)} | {
        (visitor.pk, "Looked", AT, "m5", None),
        (ben.pk, "Read", AT, "m6", None),
    }


def test_a_csv_has_a_column_for_each_trait_and_no_formulas() -> None:
    make_profile("ada", traits={"name": '=HYPERLINK("x")', "age": 36})
    make_profile("bob", traits={"tags": ["x"]})
    names = exports.trait_names()
    pieces = exports.csv_file(exports.profiles(), ("user_id",), "traits", names)
    header, ada, bob = csv.reader(joined(pieces).splitlines())
    assert header == ["user_id", *names]
    assert dict(zip(header, ada, strict=True)) == {
        "user_id": "ada",
        "age": "36",
        "name": '\'=HYPERLINK("x")',
        "tags": "",
    }
    assert json.loads(dict(zip(header, bob, strict=True))["tags"]) == ["x"]


def test_only_the_named_events_of_the_period_are_written() -> None:
    ada = make_profile("ada")
    make_event(ada, "Ordered", {"total": 1}, timestamp=AT)
    make_event(ada, "Looked", {"page": 1}, timestamp=AT)
    period = exports.Period(PERIOD.since, PERIOD.until, "Ordered")
    assert [row["event"] for row in exports.events(period)] == ["Ordered"]
    assert exports.property_names(period) == ["total"]


def test_what_a_sandbox_reported_stays_out() -> None:
    tester = make_profile("sandbox:1", is_sandbox=True, is_test=True)
    make_event(tester, "Ordered", timestamp=AT)
    assert list(exports.profiles()) == []
    assert list(exports.events(PERIOD)) == []
