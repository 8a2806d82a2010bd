"""What the tracking plan refuses: the answers name it, the debugger shows it, and nothing else is lost."""

from __future__ import annotations

from typing import Any

import pytest
from django.test import Client

from events.models import Event, Group, InboundRequest, Profile, Violation
from tests.events.api.customerio.account import Account, done
from tests.factories import planned

pytestmark = pytest.mark.django_db
TOTAL = {"required": ["total"], "properties": {"total": {"type": "number"}}}


@pytest.fixture
def account() -> Account:
    planned("Order Completed", schema=TOTAL, schema_mode="block")
    planned("[identify]", schema={"properties": {"age": {"type": "number"}}}, schema_mode="block")
    return Account.make()


def order(total: Any, **fields: Any) -> dict[str, Any]:
    return {
        "type": "person",
        "action": "event",
        "identifiers": {"id": "ada"},
        "name": "Order Completed",
        "attributes": {"total": total},
        **fields,
    }


def test_version_1_answers_400_with_the_field(account: Account) -> None:
    answer = account.track("ada", "Order Completed", data={"total": "much"})
    assert answer.status_code == 400
    error = answer.json()["meta"]["error"]
    assert "Order Completed" in error and "tracking plan" in error and "data.total" in error
    answer = account.identify("ada", age="old")
    assert answer.status_code == 400 and "age" in answer.json()["meta"]["error"]
    assert not Event.objects.exists() and not Profile.objects.exists()
    assert Violation.objects.count() == 2
    assert done(account.track("ada", "Order Completed", data={"total": 7}))


def test_what_is_refused_does_not_use_up_its_id(account: Account) -> None:
    sent = {"id": "01ARZ3NDEKTSV4RRFFQ69G5FAV"}
    assert account.track("ada", "Order Completed", data={}, **sent).status_code == 400
    assert done(account.track("ada", "Order Completed", data={"total": 7}, **sent))
    assert Event.objects.count() == 1


def test_an_entity_is_400_with_the_field(account: Account) -> None:
    answer = account.entity(**order("much"))
    assert answer.status_code == 400
    (error,) = answer.json()["errors"]
    assert (error["field"], error["reason"]) == ("attributes.total", "schema_violation")
    assert not Event.objects.exists()


def test_in_a_batch_what_is_refused_has_its_index_and_the_rest_is_stored(account: Account) -> None:
    acme = {"object_type_id": "1", "object_id": "acme"}
    old = {"type": "person", "action": "identify", "identifiers": {"id": "old"}, "attributes": {"age": "old"}}
    answer = account.batch(
        order(1),
        order("much"),
        {"type": "robot"},
        old | {"cio_relationships": [{"identifiers": acme}]},
        {"type": "person", "action": "delete", "identifiers": {"id": "nobody"}},
        order(None),
        order(2),
    )
    assert answer.status_code == 207
    errors = answer.json()["errors"]
    assert [(error["batch_index"], error["field"]) for error in errors] == [
        (1, "attributes.total"),
        (2, "type"),
        (3, "attributes.age"),
        (5, "attributes.total"),
    ]
    assert [event.properties["total"] for event in Event.objects.order_by("id")] == [1, 2]
    assert Profile.objects.get().user_id == "ada"
    # Nothing is done of an item that is refused.
    assert not Group.objects.exists()
    kept = InboundRequest.objects.get()
    assert (kept.status, kept.rejected, kept.answer) == (207, 4, answer.json())


def test_a_refused_item_is_kept_with_the_events_beside_it(account: Account) -> None:
    account.batch(order(1), order("much"))
    kept = InboundRequest.objects.get()
    assert (kept.status, kept.accepted, kept.rejected) == (207, 1, 1)
    assert Event.objects.get().request == kept


def test_a_form_with_a_refused_part_stores_nothing(account: Account) -> None:
    answer = account.call("POST", "/api/v1/forms/1/submit", {"data": {"id": "ada", "age": "old"}})
    assert answer.status_code == 400 and "age" in answer.json()["meta"]["error"]
    assert not Profile.objects.exists()


def test_the_debugger_tells_which_item_was_refused_and_why(account: Account, admin_client: Client) -> None:
    account.batch(order(1), order("much"))
    kept = InboundRequest.objects.get()
    page = admin_client.get(f"/admin/events/event/request/{kept.pk}/").content.decode()
    # The call was taken: it is no error as a whole.
    assert "cb-badge--warn" in page and "cb-note--bad" not in page
    assert "No. 2:" in page and "does not keep to the tracking plan" in page and "attributes.total" in page
    account.track("ada", "Order Completed", data={"total": "much"})
    kept = InboundRequest.objects.get(status=400)
    page = admin_client.get(f"/admin/events/event/request/{kept.pk}/").content.decode()
    assert "cb-note--bad" in page and "does not keep to the tracking plan" in page
