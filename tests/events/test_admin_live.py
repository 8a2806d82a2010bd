"""Live events: the newest of what came in, and everything about one of them."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from events.admin import tail as tails
from events.admin.exchange import dropped, item_of, of_event
from events.admin.reading import lines
from events.admin.tail import Filters, signature, tail
from events.models import Event, InboundRequest, Pending, Source
from tests.factories import make_event, make_profile, make_source

pytestmark = pytest.mark.django_db

PAGE = "/admin/events/event/"


def make_call(status: int = 401, path: str = "/v1/track", **columns: Any) -> InboundRequest:
    columns.setdefault("answer", {"code": "unauthorized", "message": "The write key is not known."})
    columns.setdefault("rejected", 1 if status != 200 else 0)
    return InboundRequest.objects.create(method="POST", path=path, status=status, **columns)


def titles(filters: Filters) -> list[str]:
    return [line.title for line in tail(filters)]


def test_events_and_refused_calls_stand_in_one_list_newest_first() -> None:
    ada = make_profile()
    make_event(ada, "First")
    make_call()
    make_event(ada, "Last")
    assert titles(Filters()) == ["Last", "POST /v1/track", "First"]


def test_accepted_calls_are_not_listed_beside_their_events_unless_a_part_was_refused() -> None:
    make_call(200)
    assert titles(Filters()) == []
    make_call(200, rejected=2)
    assert [line.state for line in tail(Filters())] == ["2 refused"]


def test_filters_narrow_the_list() -> None:
    shop, server = make_source("Shop"), make_source("Server")
    ada, ben = make_profile("ada"), make_profile("ben")
    make_event(ada, "Signed Up", source=shop)
    make_event(ben, "Signed In", source=server)
    make_call(source=server)
    assert titles(Filters(source=shop.pk)) == ["Signed Up"]
    assert titles(Filters(name="signed i")) == ["Signed In"]
    assert titles(Filters(person="AD")) == ["Signed Up"]
    assert titles(Filters(outcome="refused")) == ["POST /v1/track"]
    assert len(titles(Filters(outcome="accepted"))) == 2


def test_filters_work_together_on_what_was_refused_as_well() -> None:
    shop = make_source("Shop")
    make_event(make_profile("ada"), "Signed Up", {"plan": "pro"}, source=shop)
    make_call(source=shop, body='{"userId": "ada", "event": "Signed Up", "properties": {"plan": "pro"}}')
    make_call(source=shop, body='{"userId": "ben", "event": "Paid"}')
    make_call(body='{"userId": "ada", "event": "Signed Up"}')
    for filters in (
        Filters(source=shop.pk, name="signed"),
        Filters(source=shop.pk, person="ada"),
        Filters(source=shop.pk, payload="PRO"),
        Filters(source=shop.pk, name="Signed", person="ada", payload="pro"),
    ):
        assert titles(filters) == ["POST /v1/track", "Signed Up"], filters
        assert titles(replace(filters, outcome="refused")) == ["POST /v1/track"]
        assert titles(replace(filters, outcome="accepted")) == ["Signed Up"]
    assert titles(Filters(source=shop.pk, name="igned")) == []
    assert titles(Filters(source=shop.pk, name="Signed", person="ben")) == []
    assert titles(Filters(payload="%")) == [], "no wildcard"


def test_only_the_newest_ids_are_looked_at(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tails, "EVENTS_LOOKED_AT", 2)
    ada = make_profile()
    for name in ("Rare", "Common", "Common"):
        make_event(ada, name)
    assert titles(Filters(name="Rare")) == []


def test_a_line_says_whether_campaigns_have_looked_at_it() -> None:
    ada = make_profile()
    waiting = make_event(ada, "Waiting", pending=True)
    parked = make_event(ada, "Parked", pending=True)
    make_event(ada, "Done")
    before = signature(tail(Filters()))
    Pending.objects.filter(pk=parked.pk).update(parked_at=timezone.now(), error="boom")
    states = {line.title: line.state for line in tail(Filters())}
    assert states == {"Waiting": "Waiting", "Parked": "Parked", "Done": "Evaluated"}
    assert signature(tail(Filters())) != before, "the page must refresh when a state changes"
    assert waiting.pk


def test_the_number_of_statements_does_not_grow_with_the_log(admin_client: Client) -> None:
    ada = make_profile()
    make_event(ada)
    make_call()
    admin_client.get(PAGE)
    with CaptureQueriesContext(connection) as few:
        admin_client.get(PAGE)
    for _ in range(30):
        make_event(make_profile(), source=make_source())
        make_call(source=make_source())
    with CaptureQueriesContext(connection) as many:
        admin_client.get(PAGE)
    assert len(many) == len(few)
    assert not any("COUNT(" in query["sql"] for query in many)


def test_polling_answers_nothing_until_something_new_came(admin_client: Client) -> None:
    make_event(make_profile())
    address = f"{PAGE}tail/?seen={signature(tail(Filters()))}"
    assert admin_client.get(address).status_code == 204
    make_event(make_profile(), "Fresh")
    assert "Fresh" in admin_client.get(address).content.decode()


def test_an_empty_log_says_what_to_do(admin_client: Client) -> None:
    assert "Connect a source" in admin_client.get(PAGE).content.decode()


def test_the_page_of_an_event_shows_the_call_as_received() -> None:
    body = {"batch": [{"event": "Other", "messageId": "m-1"}, {"event": "Signed Up", "messageId": "m-2", "odd": [1]}]}
    call = make_call(200, body=json.dumps(body), answer={"success": True})
    event = make_event(make_profile(), "Signed Up", request=call, message_id="m-2", source=make_source())
    shown = of_event(event)
    assert shown.exact
    assert shown.sent == {"event": "Signed Up", "messageId": "m-2", "odd": [1]}
    assert (shown.status, shown.answer) == (200, {"success": True})


@pytest.mark.parametrize(
    "body", ["", "no json", "[]", "[" * 9000, '{"batch": 5}', '{"batch": [{}, {}]}', '{"batch": [1, 2]}']
)
def test_a_body_without_the_event_is_not_taken_for_it(body: str) -> None:
    assert item_of(body, "m-2") is None or body == '{"batch": 5}'


def test_an_event_whose_call_was_not_kept_is_rebuilt_from_the_log() -> None:
    ada = make_profile("ada")
    event = make_event(ada, "Prices", {"plan": "pro"}, type=Event.Type.PAGE, context={"locale": "en"}, message_id="m-7")
    shown = of_event(event)
    assert not shown.exact
    assert shown.sent == {
        "type": "page",
        "userId": "ada",
        "name": "Prices",
        "properties": {"plan": "pro"},
        "context": {"locale": "en"},
        "timestamp": event.timestamp.isoformat(),
        "messageId": "m-7",
    }


def test_the_page_of_an_event_tells_who_and_whether_it_is_parked(admin_client: Client) -> None:
    ada = make_profile("ada")
    event = make_event(ada, "Signed Up", pending=True)
    Pending.objects.filter(pk=event.pk).update(parked_at=timezone.now(), error="ValueError: no such step")
    text = admin_client.get(f"{PAGE}{event.pk}/change/").content.decode()
    assert f"/admin/events/profile/{ada.pk}/change/" in text
    assert "no such step" in text


def test_the_pane_beside_the_list_gets_the_detail_alone(admin_client: Client) -> None:
    event = make_event(make_profile(), "Signed Up")
    address = f"{PAGE}{event.pk}/change/"
    assert "<html" in admin_client.get(address).content.decode()
    assert "<html" not in admin_client.get(address, headers={"HX-Request": "true"}).content.decode()


def test_the_page_of_a_refused_call_shows_body_and_reason(admin_client: Client) -> None:
    call = make_call(body='{"userId": "<b>x</b>"}')
    text = admin_client.get(f"{PAGE}request/{call.pk}/").content.decode()
    assert "The write key is not known." in text
    assert "<b>x</b>" not in text


def test_the_log_cannot_be_changed_not_even_by_a_superuser(admin_client: Client) -> None:
    event = make_event(make_profile())
    assert admin_client.get(f"{PAGE}add/").status_code == 403
    assert admin_client.post(f"{PAGE}{event.pk}/delete/", {"post": "yes"}).status_code == 403
    assert Event.objects.filter(pk=event.pk).exists()


@pytest.mark.parametrize("address", ["", "tail/", "request/1/", "1/change/"])
def test_nobody_without_the_right_sees_events(client: Client, django_user_model: Any, address: str) -> None:
    client.force_login(django_user_model.objects.create_user("viewer", is_staff=True))
    assert client.get(PAGE + address).status_code == 403


@pytest.mark.parametrize("key", ["0", "x", "99999999999999999999999"])
def test_an_event_that_is_not_there_is_not_found(admin_client: Client, key: str) -> None:
    assert admin_client.get(f"{PAGE}{key}/change/").status_code == 404


# --- One call ---------------------------------------------------------------------------------------------------------
BATCH = {"batch": [{"event": "Good"}, {"event": "Bad one"}, {"event": "Worse"}]}
REJECTED = [
    {"index": 1, "code": "missing_field", "message": "A call needs a userId.", "field": "userId"},
    {"index": 2, "code": "schema_violation", "message": "sum has to be a number.", "field": "properties.sum"},
]


def shown(admin_client: Client, call: InboundRequest) -> str:
    return admin_client.get(f"{PAGE}request/{call.pk}/").content.decode()


def test_dropped_items_are_shown_one_by_one_with_what_was_sent(admin_client: Client) -> None:
    answer = {"success": True, "rejected": REJECTED, "rejected_count": 2}
    call = make_call(200, body=json.dumps(BATCH), answer=answer, rejected=2, accepted=1)
    assert [(one.number, one.field, one.item) for one in dropped(call)] == [
        (2, "userId", {"event": "Bad one"}),
        (3, "properties.sum", {"event": "Worse"}),
    ]
    text = shown(admin_client, call)
    assert "No. 2: A call needs a userId." in text and "Bad one" in text
    assert "/admin/events/violation/" in text


def test_dropped_items_are_told_in_the_words_of_either_api() -> None:
    entry = {"batch_index": 0, "reason": "invalid", "field": "name", "message": "name cannot be blank"}
    call = make_call(207, body=json.dumps(BATCH), answer={"errors": [entry]})
    assert [(one.number, one.message, one.code, one.item) for one in dropped(call)] == [
        (1, "name cannot be blank", "invalid", {"event": "Good"})
    ]
    assert [line.state for line in tail(Filters())] == ["1 refused"]


@pytest.mark.parametrize("answer", [{}, {"rejected": 5}, {"rejected": [5, {}]}, {"errors": [{"batch_index": -3}]}])
@pytest.mark.parametrize("body", ["", "{", "[1]", '{"batch": 5}', "[" * 9000])
def test_an_odd_answer_or_body_still_has_a_page(admin_client: Client, answer: Any, body: str) -> None:
    assert shown(admin_client, make_call(400, body=body, answer=answer))


def test_a_call_shows_its_headers_and_what_it_became(admin_client: Client) -> None:
    call = make_call(200, accepted=1, headers={"X-Shop-Topic": "orders/paid"}, answer={"success": True})
    event = make_event(make_profile("ada"), "Order Paid", request=call)
    make_event(make_profile("ben"), "Of another call")
    text = shown(admin_client, call)
    assert "orders/paid" in text
    assert f"{PAGE}{event.pk}/change/" in text and "Of another call" not in text


def test_a_payload_of_a_hook_leads_to_its_mapping(admin_client: Client) -> None:
    source = make_source()
    Source.objects.filter(pk=source.pk).update(kind="webhook", slug="cart")
    call = make_call(400, source=source, path="/hooks/cart/", body='{"mine": 1}')
    assert f"?call={call.pk}#hook-mapping" in shown(admin_client, call)
    page = admin_client.get(f"/admin/events/source/{source.pk}/change/?call={call.pk}").content.decode()
    assert "&quot;mine&quot;: 1" in page


def test_an_event_of_a_sandbox_says_what_that_means(admin_client: Client) -> None:
    event = make_event(make_profile(is_test=True, is_sandbox=True))
    assert "mail stays in the built-in mailbox" in admin_client.get(f"{PAGE}{event.pk}/change/").content.decode()


@pytest.mark.parametrize(
    ("method", "path", "body", "read"),
    [
        ("POST", "/v1/track", {"userId": "ada", "event": "Hi", "properties": {"n": 1}}, [("track", "Hi", "ada", "")]),
        (
            "POST",
            "/v1/b",
            {"batch": [{"type": "page", "anonymousId": "v", "name": "Home"}]},
            [("page", "Home", "v", "")],
        ),
        ("PUT", "/api/v1/customers/ada%2F1", {"plan": "pro"}, [("identify", "", "ada%2F1", "")]),
        (
            "POST",
            "/api/v2/batch",
            {
                "batch": [
                    {"type": "person", "action": "suppress", "identifiers": {"id": "ada"}},
                    {"type": "person", "action": "event", "identifiers": {"id": "ada"}},
                ]
            },
            [("suppress the person", "", "ada", ""), ("", "", "", "name cannot be blank")],
        ),
        ("POST", "/v1/track", {"userId": "ada"}, [("", "", "", "The track call needs its event.")]),
        ("POST", "/api/v1/metrics", {}, []),
        ("POST", "/nowhere", {}, []),
    ],
)
def test_a_call_tells_how_it_is_read(method: str, path: str, body: Any, read: list[tuple[str, ...]]) -> None:
    call = make_call(200, path, source=make_source(), body=json.dumps(body))
    call.method = method
    assert [(line.kind, line.name, line.who, line.problem) for line in lines(call)] == read


def test_what_is_read_is_on_the_page_of_a_call(admin_client: Client) -> None:
    body = json.dumps({"userId": "ada", "event": "Order Paid", "properties": {"sum": 19}})
    text = shown(admin_client, make_call(200, source=make_source(), body=body))
    assert "How it is read" in text and "sum: 19" in text
    assert "How it is read" not in shown(admin_client, make_call(401, body=body)), "no source, no reading"
