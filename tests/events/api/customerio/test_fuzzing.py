"""Whatever is sent: no error of ours, nothing good lost beside something bad, nothing done that was refused."""

from __future__ import annotations

import json
from typing import Any

import pytest
from django.test import Client
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from events.api.customerio.semantic import ACTS
from events.api.customerio.v2 import ACTIONS
from events.models import Event
from tests.events.api.customerio.account import Account
from tests.tracking import basic

pytestmark = pytest.mark.django_db
fuzzed = hypothesis_settings(
    max_examples=120,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)

# Lone surrogates, NUL and huge numbers among them: JSON can say all of these.
TEXTS = st.one_of(
    st.text(max_size=8),
    st.sampled_from(
        ["", " ", "ada", "ada@example.com", "cio_1", "cio_99999999999999999999", "sandbox:x", "\0", "\ud800"]
    ),
    st.integers(0, 600).map(lambda length: "😀" * length),
)
SCALARS = st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), TEXTS, st.just(10**400))
VALUES = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS, inner, max_size=3), max_leaves=6
)
IDS = ("id", "email", "cio_id", "anonymous_id", "object_id", "object_type_id", "primary", "secondary")
IDENTIFIERS = st.dictionaries(st.sampled_from(IDS), VALUES, max_size=3)
RELATIONS = st.lists(
    st.fixed_dictionaries({"identifiers": IDENTIFIERS}, optional={"relationship_attributes": VALUES}) | VALUES,
    max_size=3,
)
DEVICES = st.dictionaries(st.sampled_from(["token", "id", "type", "platform", "last_used", "attributes"]), VALUES)
FIELDS: dict[str, st.SearchStrategy[Any]] = {
    "identifiers": IDENTIFIERS | VALUES,
    "attributes": st.dictionaries(TEXTS | st.sampled_from(["_update", "anonymous_id", "email"]), VALUES) | VALUES,
    "name": VALUES,
    "timestamp": VALUES,
    "id": VALUES,
    "device": DEVICES | VALUES,
    "cio_relationships": RELATIONS | VALUES,
    "primary": IDENTIFIERS,
    "secondary": IDENTIFIERS,
    "created_at": VALUES,
}
ITEMS = st.one_of(
    *(
        st.fixed_dictionaries({"type": st.just(kind), "action": st.sampled_from(sorted(actions))}, optional=FIELDS)
        for kind, actions in ACTIONS.items()
    ),
    st.fixed_dictionaries({"type": VALUES, "action": VALUES}, optional=FIELDS),
    VALUES,
)
SEMANTIC = st.fixed_dictionaries(
    {"type": st.just("track"), "event": st.sampled_from(sorted(ACTS))},
    optional={
        "userId": VALUES,
        "anonymousId": VALUES,
        "properties": st.dictionaries(
            st.sampled_from(["device", "token", "objectId", "objectTypeId", "deliveryId", "metric", "href"]),
            DEVICES | VALUES,
        ),
        "context": st.dictionaries(st.sampled_from(["device", "groupId"]), DEVICES | VALUES) | VALUES,
        "timestamp": VALUES,
    },
)


def good(number: int) -> dict[str, Any]:
    return {"type": "person", "action": "event", "identifiers": {"id": "good"}, "name": f"Good {number}"}


def names() -> list[str]:
    return list(Event.objects.filter(name__startswith="Good").order_by("id").values_list("name", flat=True))


@fuzzed
@given(items=st.lists(ITEMS, min_size=1, max_size=6))
def test_a_batch(items: list[Any]) -> None:
    account = Account.make()
    Event.objects.all().delete()
    answer = account.batch(good(1), *items, good(2))
    assert answer.status_code in (200, 207), answer.content
    errors = answer.json().get("errors", [])
    assert all(0 < error["batch_index"] <= len(items) and error["message"] for error in errors)
    refused = {error["batch_index"] for error in errors}
    # Unless one of them erased the person, both good ones are there.
    assert names() in (["Good 1", "Good 2"], ["Good 2"]) or len(refused) < len(items)
    assert names()[-1:] == ["Good 2"]


@fuzzed
@given(item=ITEMS)
def test_an_entity(item: Any) -> None:
    answer = Account.make().call("POST", "/api/v2/entity", item)
    assert answer.status_code in (200, 400)
    assert answer.status_code == 200 or answer.json()["errors"][0]["message"]


@fuzzed
@given(
    method=st.sampled_from(["PUT", "DELETE", "POST"]),
    identifier=TEXTS.filter(lambda text: "\ud800" not in text),
    rest=st.sampled_from(["", "/devices", "/devices/t", "/events", "/suppress", "/unsuppress", "/"]),
    body=st.dictionaries(st.sampled_from([*FIELDS, "data", "type", "_update", "anonymous_id", "email"]), VALUES),
)
def test_a_customer(method: str, identifier: str, rest: str, body: Any) -> None:
    answer = Account.make().customer(method, identifier, rest, body)
    assert answer.status_code in (200, 400, 404, 405)
    assert answer.status_code == 200 or answer.json()["meta"]["error"]


@fuzzed
@given(
    path=st.sampled_from(["merge_customers", "events", "metrics", "push/events", "forms/x/submit"]),
    body=st.dictionaries(
        st.sampled_from(["primary", "secondary", "name", "data", "anonymous_id", "delivery_id", "metric", "event"]),
        IDENTIFIERS | VALUES,
    ),
)
def test_the_other_calls_of_version_1(path: str, body: Any) -> None:
    answer = Account.make().call("POST", f"/api/v1/{path}", body)
    assert answer.status_code in (200, 204, 400)
    assert answer.status_code != 400 or answer.json()["meta"]["error"]


@fuzzed
@given(items=st.lists(SEMANTIC, min_size=1, max_size=4))
def test_names_that_are_more_than_events(items: list[Any]) -> None:
    account = Account.make()
    tracks = [{"type": "track", "userId": "good", "event": f"Good {number}"} for number in (1, 2)]
    Event.objects.all().delete()
    body = json.dumps({"batch": [tracks[0], *items, tracks[1]]})
    headers = {"Authorization": basic(account.key)}
    answer = Client().post("/cdp/v1/batch", body, content_type="application/json", headers=headers)
    assert answer.status_code == 200
    assert all(0 < one["index"] <= len(items) for one in answer.json().get("rejected", []))
    assert names()[-1:] == ["Good 2"]
