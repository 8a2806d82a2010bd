"""Customer.io's Python library against a live server, changed in nothing but its host. It speaks HTTPS alone."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from customerio import CustomerIO, CustomerIOException
from pytest_django.live_server_helper import LiveServer

from events import people
from events.models import Device, Event, Group, InboundRequest, Membership, Profile, SuppressedId
from tests.clients.tls import https
from tests.events.api.customerio.account import Account

pytestmark = pytest.mark.django_db(transaction=True)
AT = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
ODD = "ada/1 +ü@🎉%2F"


@pytest.fixture
def account() -> Account:
    return Account.make()


@pytest.fixture
def connect(
    live_server: LiveServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Callable[[Account], CustomerIO]]:
    clients: list[CustomerIO] = []
    with https(live_server.url, tmp_path) as secure:
        monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(secure.certificate))

        def as_account(account: Account) -> CustomerIO:
            clients.append(CustomerIO(account.source.site_id, account.key, host=secure.host, port=secure.port))
            return clients[-1]

        yield as_account
        for client in clients:
            client.close()


@pytest.fixture
def cio(connect: Callable[[Account], CustomerIO], account: Account) -> CustomerIO:
    return connect(account)


def test_people_and_their_events(cio: CustomerIO) -> None:
    cio.track_anonymous("device", "Visited", {"path": "/pricing"}, timestamp=AT)
    cio.identify("ada", email="ada@example.com", age=36, born=AT, score=float("nan"), anonymous_id="device")
    cio.track("ada", "Order Completed", {"total": 19.99, "items": [{"sku": "A"}], "at": AT}, timestamp=AT)
    cio.pageview("ada", "/pricing", referrer="/")
    cio.backfill("ada", "Imported", AT, plan="pro")
    cio.track("ada@example.com", "By email")
    cio.track_anonymous("", "Invited", {"recipient": "ben@example.com"})
    ada = Profile.objects.get(user_id="ada")
    assert ada.traits == {"email": "ada@example.com", "age": 36, "born": int(AT.timestamp())}
    assert list(ada.events.order_by("id").values_list("type", "name")) == [
        ("track", "Visited"),
        ("identify", ""),
        ("track", "Order Completed"),
        ("page", "/pricing"),
        ("track", "Imported"),
        ("track", "By email"),
    ]
    order = Event.objects.get(name="Order Completed")
    assert order.properties == {"total": 19.99, "items": [{"sku": "A"}], "at": int(AT.timestamp())}
    for name in ("Visited", "Order Completed", "Imported"):
        assert Event.objects.get(name=name).timestamp == AT
    assert Event.objects.get(name="Invited").profile.user_id is None
    assert not InboundRequest.objects.exclude(status=200).exists()


def test_an_event_with_an_id_counts_once(cio: CustomerIO) -> None:
    for _ in range(2):
        cio.track("ada", "Hi", id="01ARZ3NDEKTSV4RRFFQ69G5FAV")
        cio.track("ada", "Ho")
    assert sorted(Event.objects.values_list("name", flat=True)) == ["Hi", "Ho", "Ho"]


@pytest.mark.parametrize("identifier", ["ada", 7, ODD])
def test_everything_about_one_person(cio: CustomerIO, identifier: str | int) -> None:
    cio.identify(identifier, plan="pro")
    ada = Profile.objects.get()
    assert ada.user_id == str(identifier)
    cio.track(people.own_id(ada), "By our own id")
    assert ada.events.count() == 2
    cio.add_device(identifier, f"token {ODD}", "ios", last_used=int(AT.timestamp()), attributes={"model": "x"})
    device = Device.objects.get()
    assert (device.profile, device.device_id, device.platform) == (ada, f"token {ODD}", "ios")
    assert (device.last_used_at, device.attributes) == (AT, {"model": "x"})
    cio.delete_device(identifier, f"token {ODD}")
    assert not Device.objects.exists()
    cio.delete(identifier)
    assert not Profile.objects.exists()
    cio.suppress(identifier)
    cio.track(identifier, "Not heard")
    assert not Profile.objects.exists()
    cio.unsuppress(identifier)
    cio.track(identifier, "Heard")
    assert Profile.objects.exists() and not SuppressedId.objects.exists()


def test_two_people_become_one(cio: CustomerIO) -> None:
    cio.identify("ada", plan="pro")
    cio.identify("ben@example.com", city="Graz")
    cio.merge_customers("id", "ada", "email", "ben@example.com")
    assert Profile.objects.get().traits == {"email": "ben@example.com", "city": "Graz", "plan": "pro"}
    with pytest.raises(CustomerIOException, match=r"400: .*secondary person has to be there"):
        cio.merge_customers("id", "ada", "cio_id", "cio_999999")


def test_a_batch_does_what_can_be_done_and_the_answer_names_the_rest(cio: CustomerIO) -> None:
    ada = {"type": "person", "identifiers": {"id": "ada"}}
    acme = {"type": "object", "identifiers": {"object_type_id": "1", "object_id": "acme"}}
    answer = cio.batch(
        [
            ada | {"action": "identify", "attributes": {"plan": "pro", "since": AT}},
            ada | {"action": "event"},
            ada | {"action": "event", "name": "Hi", "timestamp": AT},
            acme | {"action": "identify", "cio_relationships": [{"identifiers": {"id": "ada"}}]},
        ]
    )
    assert answer.status_code == 207
    (error,) = answer.json()["errors"]
    assert (error["batch_index"], error["field"]) == (1, "name")
    assert Profile.objects.get().traits == {"plan": "pro", "since": int(AT.timestamp())}
    assert Event.objects.get(name="Hi").timestamp == AT
    assert (Group.objects.get().key, Membership.objects.count()) == ("acme", 1)
    assert cio.batch([ada | {"action": "delete"}]).status_code == 200
    assert not Profile.objects.exists()


def test_errors_reach_the_caller_in_words(cio: CustomerIO, connect: Callable[[Account], CustomerIO]) -> None:
    with pytest.raises(CustomerIOException, match="400: .*name cannot be blank"):
        cio.track("ada", " ")
    with pytest.raises(CustomerIOException, match="401: .*API key"):
        connect(Account(Account.make().source, "wrong")).identify("ada")
    assert sorted(InboundRequest.objects.values_list("status", flat=True)) == [400, 401]
    assert not Profile.objects.exists()
