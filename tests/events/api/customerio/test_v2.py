from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from events import people
from events.models import Event, InboundRequest, Profile, SourceKey
from tests.events.api.customerio.account import Account, done
from tests.factories import make_profile

pytestmark = pytest.mark.django_db
ADA = {"id": "ada"}


@pytest.fixture
def account() -> Account:
    return Account.make()


def person(action: str, identifiers: dict[str, Any] | None = None, **fields: Any) -> dict[str, Any]:
    return {"type": "person", "action": action, "identifiers": identifiers or ADA, **fields}


@pytest.mark.parametrize("identifiers", [ADA, {"email": "ada@example.com"}, {"anonymous_id": "a"}, {"id": 7}])
def test_a_person_is_named_in_any_way(account: Account, identifiers: dict[str, Any]) -> None:
    assert done(account.entity(**person("identify", identifiers, attributes={"plan": "pro", "gone": None})))
    assert done(account.entity(**person("event", identifiers, name="Hi", attributes={"a": 1}, timestamp=1767323045)))
    profile = Profile.objects.get()
    assert profile.traits["plan"] == "pro" and "gone" not in profile.traits
    event = profile.events.get(type="track")
    assert (event.name, event.properties, event.extra) == ("Hi", {"a": 1}, {})
    assert event.timestamp == datetime.fromtimestamp(1767323045, UTC)


def test_our_own_id_names_people_in_a_batch(account: Account) -> None:
    profiles = [make_profile() for _ in range(3)]
    items = [person("event", {"cio_id": str(profile.pk)}, name="Hi") for profile in profiles]
    assert done(account.batch(*items))
    assert all(profile.events.count() == 1 for profile in profiles)
    answer = account.batch(*items, person("event", {"cio_id": people.OWN_PREFIX + "999999"}, name="Hi"))
    assert answer.status_code == 207
    assert [error["batch_index"] for error in answer.json()["errors"]] == [3]


def test_every_action_on_a_person_works(account: Account) -> None:
    device = {"token": "t", "platform": "ios"}
    for action, fields in (
        ("identify", {"attributes": {"plan": "pro"}}),
        ("event", {"name": "Bought", "id": "01ARZ3NDEKTSV4RRFFQ69G5FAV"}),
        ("page", {"name": "/pricing"}),
        ("screen", {"name": "Home"}),
        ("add_device", {"device": device}),
    ):
        assert done(account.entity(**person(action, **fields))), action
    ada = Profile.objects.get()
    assert list(ada.events.order_by("id").values_list("type", flat=True)) == ["identify", "track", "page", "screen"]
    assert ada.devices.get().device_id == "t"
    assert done(account.entity(**person("delete_device", device={"token": "t"})))
    assert not ada.devices.exists()
    assert done(account.entity(**person("suppress")))
    assert done(account.entity(**person("event", name="Hi")))
    assert not Profile.objects.exists()
    assert done(account.entity(**person("unsuppress")))
    assert done(account.entity(**person("event", name="Hi")))
    assert done(account.entity(**person("delete")))
    assert not Profile.objects.exists()


BAD = [
    {},
    {"type": "robot", "action": "identify"},
    {"type": "person"},
    {"type": "person", "action": "dance"},
    {"type": "person", "action": "identify"},
    {"type": "person", "action": "identify", "identifiers": {}},
    {"type": "person", "action": "identify", "identifiers": "ada"},
    {"type": "person", "action": "identify", "identifiers": {"email": "nonsense"}},
    person("identify", attributes=[]),
    person("event"),
    person("event", name=" "),
    person("event", name="Hi", timestamp="soon"),
    person("event", name="Hi", attributes={"n": "\ud800"}) | {"id": []},
    person("add_device"),
    person("add_device", device={"token": "t"}),
    person("delete_device", device={}),
    {"type": "delivery", "action": "event", "identifiers": {"id": "x"}, "name": "opened", "attributes": {}},
]


@pytest.mark.parametrize("item", BAD)
def test_a_bad_object_is_400_and_names_its_field(account: Account, item: dict[str, Any]) -> None:
    answer = account.entity(**item)
    assert answer.status_code == 400
    (error,) = answer.json()["errors"]
    assert error["field"] and error["reason"] and error["message"]
    assert not Profile.objects.exists()
    assert InboundRequest.objects.get().status == 400


def test_in_a_batch_bad_items_are_named_and_the_rest_is_done(account: Account) -> None:
    items = [person("event", name="First"), *BAD, 7, person("event", name="x", attributes={"x": "x" * 32_768})]
    answer = account.batch(*items, person("event", name="Last"))
    assert answer.status_code == 207
    errors = answer.json()["errors"]
    assert [error["batch_index"] for error in errors] == list(range(1, len(items)))
    assert list(Event.objects.order_by("id").values_list("name", flat=True)) == ["First", "Last"]
    kept = InboundRequest.objects.get()
    assert (kept.status, kept.rejected, kept.answer) == (207, len(errors), answer.json())


def test_a_batch_is_done_in_its_order(account: Account, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("events.api.inbound.sampled", lambda: True)
    steps = [
        person("identify", attributes={"plan": "old"}),
        person("add_device", device={"token": "t", "platform": "ios"}),
        person("delete"),
        person("identify", attributes={"plan": "new"}),
        person("event", name="Back"),
    ]
    assert done(account.batch(*steps))
    ada = Profile.objects.get()
    assert (ada.traits, ada.events.count(), ada.devices.count()) == ({"plan": "new"}, 2, 0)
    assert InboundRequest.objects.get().accepted == 5


def test_a_public_key_may_not_delete_in_a_batch_either(account: Account) -> None:
    make_profile("ada")
    public = Account.make(SourceKey.Kind.PUBLIC)
    answer = public.batch(person("delete"), person("event", name="Hi"))
    assert answer.status_code == 207
    assert [error["batch_index"] for error in answer.json()["errors"]] == [0]
    assert Profile.objects.get().events.count() == 1


@pytest.mark.parametrize("body", [b"", b"{}", b"[]", b'{"batch": {}}', b'{"batch": ['])
def test_a_batch_that_is_none_is_400(account: Account, body: bytes) -> None:
    answer = account.call("POST", "/api/v2/batch", body)
    assert answer.status_code == 400 and answer.json()["errors"][0]["field"]


def test_a_batch_may_have_500_kb(account: Account) -> None:
    item = person("event", name="Hi", attributes={"text": "x" * 31_000})
    assert done(account.batch(*[item] * 16))
    assert account.batch(*[item] * 17).status_code == 400
    assert account.entity(**person("event", name="Hi", attributes={"text": "x" * 33_000})).status_code == 400
    assert Event.objects.count() == 16


def test_an_empty_batch_is_fine(account: Account) -> None:
    assert done(account.batch())


def test_the_number_of_statements_does_not_grow_with_the_batch(
    account: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Whether a call is kept for the debugger depends on how many came before it within the second.
    monkeypatch.setattr("events.api.inbound.sampled", lambda: False)

    def statements(count: int) -> int:
        items: list[dict[str, Any]] = []
        for number in range(count):
            name = f"{count}-{number}"
            known = make_profile()
            items += [
                person("identify", {"id": name}, attributes={"email": f"{name}@example.com", "anonymous_id": name}),
                person("event", {"email": f"{name}@example.org"}, name="Hi"),
                person("event", {"cio_id": people.own_id(known)}, name="Hi"),
                person("event", {"anonymous_id": name}, name="Hi"),
            ]
        with CaptureQueriesContext(connection) as queries:
            assert done(account.batch(*items))
        return len([query for query in queries if "SAVEPOINT" not in query["sql"]])

    statements(1)  # The first call notes the use of the key.
    assert statements(2) == statements(40)
