"""Segment's Customer.io destination: what it asks and sends, in its own words.

The payloads are those that the actions of its published source build with their default mappings
(https://github.com/segmentio/action-destinations, ``destinations/customerio``).
"""

from __future__ import annotations

from typing import Any

import pytest

from events.models import Device, Event, Group, InboundRequest, Membership, Profile
from tests.events.api.customerio.account import Account, done

pytestmark = pytest.mark.django_db
AT = 1767323045
IDENTIFY = {
    "type": "person",
    "action": "identify",
    "timestamp": AT,
    "attributes": {"email": "ada@example.com", "plan": "pro", "created_at": AT, "anonymous_id": "visitor"},
    "email": "ada@example.com",
    "identifiers": {"id": "ada"},
    "cio_relationships": [{"identifiers": {"object_type_id": "1", "object_id": "acme"}}],
}
TRACK = {
    "type": "person",
    "action": "event",
    "name": "Order Completed",
    "id": "ajs-next-1767323045-e28ff1",
    "timestamp": AT,
    "attributes": {"total": 19.99, "shipped_at": AT, "anonymous_id": "visitor"},
    "identifiers": {"id": "ada"},
}
PAGE = {
    "type": "person",
    "action": "page",
    "name": "https://shop.example/pricing",
    "id": "ajs-next-1767323045-a1",
    "timestamp": AT,
    "attributes": {"title": "Pricing"},
    "identifiers": {"anonymous_id": "visitor"},
}
SCREEN = PAGE | {"action": "screen", "name": "Home", "id": "m-2", "identifiers": {"email": "ada@example.com"}}
OBJECT = {
    "type": "object",
    "action": "identify",
    "attributes": {"name": "Acme", "industry": "Tools", "anonymous_id": "visitor"},
    "created_at": AT,
    "identifiers": {"object_type_id": "1", "object_id": "acme"},
    "cio_relationships": [{"identifiers": {"id": "ada"}, "relationship_attributes": {"role": "admin", "since": AT}}],
}
OBJECT_OF_A_VISITOR = OBJECT | {
    "action": "identify_anonymous",
    "attributes": {"anonymous_id": "someone"},
    "cio_relationships": [{"identifiers": {"anonymous_id": "someone"}}],
}
RELATIONSHIP_DELETED = {
    "type": "object",
    "action": "delete_relationships",
    "attributes": {"anonymous_id": "visitor"},
    "identifiers": {"object_type_id": "1", "object_id": "acme"},
    "cio_relationships": [{"identifiers": {"id": "ada"}}],
}
OBJECT_DELETED = {"type": "object", "action": "delete", "identifiers": OBJECT["identifiers"]}
CONTENT_VIEWED = {
    "type": "person",
    "action": "viewed_content",
    "name": "viewed_content",
    "timestamp": AT,
    "attributes": {"contentId": 7},
    "identifiers": {"anonymous_id": "visitor"},
}
MERGE = {"type": "person", "action": "merge", "primary": {"id": "ada"}, "secondary": {"id": "old"}}


def person(action: str, identifier: str = "ada") -> dict[str, Any]:
    return {"type": "person", "action": action, "identifiers": {"id": identifier}}


@pytest.fixture
def account() -> Account:
    return Account.make()


def test_it_tries_the_credentials_first(account: Account) -> None:
    assert account.call("GET", "/auth").status_code == 200
    assert Account(account.source, "wrong").call("GET", "/auth").status_code == 401


@pytest.mark.parametrize("in_batch", [False, True], ids=["entity", "batch"])
def test_its_calls_make_the_people_events_and_companies(account: Account, in_batch: bool) -> None:
    items = [PAGE, CONTENT_VIEWED, IDENTIFY, TRACK, SCREEN, OBJECT, OBJECT_OF_A_VISITOR]
    answers = [account.batch(*items)] if in_batch else [account.entity(**item) for item in items]
    assert all(done(answer) for answer in answers)
    ada = Profile.objects.get(user_id="ada")
    assert ada.traits == {"email": "ada@example.com", "plan": "pro", "created_at": AT}
    told = set(ada.events.values_list("type", "name"))
    assert told == {
        ("page", "https://shop.example/pricing"),
        ("track", "viewed_content"),
        ("identify", ""),
        ("track", "Order Completed"),
        ("screen", "Home"),
    }
    order = Event.objects.get(name="Order Completed")
    assert order.message_id == TRACK["id"] and order.timestamp.timestamp() == AT
    acme = Group.objects.get()
    assert acme.traits == {"name": "Acme", "industry": "Tools", "created_at": AT}
    assert Membership.objects.get(profile=ada).traits == {"role": "admin", "since": AT}
    assert Membership.objects.count() == 2


def test_what_it_sends_again_counts_once(account: Account) -> None:
    for _ in range(2):
        assert done(account.batch(TRACK, PAGE))
    assert Event.objects.count() == 2


def test_its_deletions_and_suppressions_are_done(account: Account) -> None:
    account.batch(IDENTIFY, OBJECT, person("identify", "old"))
    for item in (MERGE, RELATIONSHIP_DELETED):
        assert done(account.entity(**item)), item
    assert Profile.objects.get().user_id == "ada" and not Membership.objects.exists()
    assert done(account.entity(**OBJECT_DELETED)) and not Group.objects.exists()
    assert done(account.batch(person("suppress"), TRACK)) and not Profile.objects.exists()
    assert done(account.batch(person("unsuppress"), TRACK | {"id": "another"})) and Profile.objects.exists()
    assert done(account.batch(person("delete"))) and not Profile.objects.exists()


def test_a_deleted_user_and_devices_come_by_version_1(account: Account) -> None:
    device = {"device": {"id": "token", "platform": "ios", "last_used": AT}}
    assert done(account.call("PUT", "/api/v1/customers/ada/devices", device))
    assert Device.objects.get().last_used_at.timestamp() == AT  # type: ignore[union-attr]
    assert done(account.call("DELETE", "/api/v1/customers/ada/devices/token"))
    assert not Device.objects.exists()
    assert done(account.call("DELETE", "/api/v1/customers/ada"))
    assert not Profile.objects.exists()


def test_it_learns_by_index_what_was_not_taken(account: Account) -> None:
    nobody = {"type": "person", "action": "event", "name": "Hi", "attributes": {}}
    answer = account.batch(TRACK, nobody, PAGE | {"name": ""})
    assert answer.status_code == 207
    # It looks for exactly these, and takes the message before the reason.
    assert [
        (error["batch_index"], bool(error["message"] and error["reason"])) for error in answer.json()["errors"]
    ] == [
        (1, True),
        (2, True),
    ]
    assert Event.objects.get().name == "Order Completed"
    assert InboundRequest.objects.get().rejected == 2


def test_it_reports_what_became_of_a_message(account: Account) -> None:
    report = {"delivery_id": "x", "metric": "clicked", "timestamp": AT, "href": "https://shop.example"}
    report["metadata"] = {"action_name": "buy"}
    answer = account.call("POST", "/api/v1/metrics", report)
    assert answer.status_code == 200 and "No message" in answer.json()["meta"]["message"]
