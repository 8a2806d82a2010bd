"""The page of a webhook: made, tried, locked and shown what comes in."""

from __future__ import annotations

import json
from typing import Any

import pytest
from django.test import Client

from events import encryption, mapping
from events.models import Event, InboundRequest, Source
from tests.factories import make_source

pytestmark = pytest.mark.django_db
SOURCES = "/admin/events/source/"
CART = {"user_id": "12345", "product_id": "98765", "event": "add_to_cart"}


def make_hook(**columns: Any) -> Source:
    source = make_source()
    Source.objects.filter(pk=source.pk).update(**{"kind": "webhook", "slug": "a-long-and-secret-slug", **columns})
    source.refresh_from_db()
    return source


def hook_url(source: Source, name: str) -> str:
    return f"{SOURCES}{source.pk}/hook/{name}/"


def typed(*calls: dict[str, Any], **more: str) -> dict[str, Any]:
    data: dict[str, Any] = {"calls": str(len(calls)), **more}
    for number, call in enumerate(calls):
        data |= {f"c{number}-{name}": value for name, value in call.items()}
    return data


PAID = {"type": "track", "user_id": "$.buyer", "event": "Paid", "name": ["sum"], "expression": ["$.sum"]}


def test_a_cart_arrives_a_minute_after_the_source_was_made(admin_client: Client) -> None:
    page = admin_client.post(f"{SOURCES}add/", {"name": "Shop", "kind": "webhook"}, follow=True).content.decode()
    source = Source.objects.get(name="Shop")
    assert source.slug and f"/hooks/{source.slug}/" in page
    assert Client().post(f"/hooks/{source.slug}/", CART, content_type="application/json").status_code == 200
    assert Event.objects.get().properties == {"product_id": "98765"}
    shown = admin_client.get(hook_url(source, "payloads") + "?seen=0").content.decode()
    assert "98765" in shown and "1 stored" in shown


def test_a_tracking_source_has_no_hook(admin_client: Client) -> None:
    admin_client.post(f"{SOURCES}add/", {"name": "App", "kind": "tracking"})
    source = Source.objects.get(name="App")
    assert source.slug is None
    assert "/hooks/" not in admin_client.get(f"{SOURCES}{source.pk}/change/").content.decode()
    assert admin_client.get(hook_url(source, "payloads")).status_code == 404


def test_a_segment_hook_signs_as_segment_does_and_has_no_mapping(admin_client: Client) -> None:
    page = admin_client.post(f"{SOURCES}add/", {"name": "Seg", "kind": "segment"}, follow=True).content.decode()
    assert Source.objects.get().signature_digest == "sha1"
    assert "hook-address" in page and "hook-mapping" not in page


def test_the_mapping_is_stored_and_used_for_the_next_call(admin_client: Client) -> None:
    source = make_hook()
    text = admin_client.post(hook_url(source, "mapping"), typed(PAID, action="save")).content.decode()
    assert "Saved." in text
    Client().post(f"/hooks/{source.slug}/", {"buyer": "ada", "sum": 5}, content_type="application/json")
    assert (Event.objects.get().name, Event.objects.get().properties) == ("Paid", {"sum": 5})


def test_a_mapping_with_a_mistake_is_not_stored_and_stays_as_typed(admin_client: Client) -> None:
    source = make_hook()
    answer = admin_client.post(hook_url(source, "mapping"), typed({**PAID, "user_id": "buyer"}, action="save"))
    text = answer.content.decode()
    assert "Not saved" in text and "Write $.buyer to look it up" in text and 'value="buyer"' in text
    source.refresh_from_db()
    assert source.mapping == {}


def test_the_default_is_not_written_down_so_that_it_may_grow(admin_client: Client) -> None:
    source = make_hook(mapping={"calls": [{"type": "track", "user_id": "$.u", "event": "x"}]})
    usual = {name: text for name, text in mapping.DEFAULT["calls"][0].items() if name != "everything"}
    admin_client.post(hook_url(source, "mapping"), typed({**usual, "everything": "1"}, action="save"))
    source.refresh_from_db()
    assert source.mapping == {}


def test_only_saving_stores(admin_client: Client) -> None:
    source = make_hook()
    for action in ("add-call", "add-word:0", "redraw", "default", ""):
        assert admin_client.post(hook_url(source, "mapping"), typed(PAID, action=action)).status_code == 200
    json_text = json.dumps({"calls": [{"type": "track", "user_id": "$.fromjson", "event": "x"}]})
    text = admin_client.post(hook_url(source, "mapping"), typed(PAID, action="use-json", json=json_text))
    assert 'value="$.fromjson"' in text.content.decode()
    admin_client.post(hook_url(source, "try"), typed(PAID, payload='{"buyer": "ada"}'))
    source.refresh_from_db()
    assert source.mapping == {}
    assert not Event.objects.exists()


@pytest.mark.parametrize("text", ["{", "5", '{"calls": []}'])
def test_json_that_is_no_mapping_leaves_the_form_as_it_is(admin_client: Client, text: str) -> None:
    answer = admin_client.post(hook_url(make_hook(), "mapping"), typed(PAID, action="use-json", json=text))
    assert 'value="$.buyer"' in answer.content.decode() and "JSON" in answer.content.decode()


def test_trying_out_shows_the_calls_and_puts_problems_beside_their_fields(admin_client: Client) -> None:
    source = make_hook()
    data = typed({**PAID, "user_id": "$.who"}, payload='{"buyer": "ada"}')
    text = admin_client.post(hook_url(source, "try"), data).content.decode()
    assert 'id="hook-0-user_id" class="cb-error" hx-swap-oob="true"' in text
    good = admin_client.post(hook_url(source, "try"), typed(PAID, payload='{"buyer": "ada", "sum": 5}'))
    assert "of ada" in good.content.decode()
    assert 'id="hook-0-word-0" class="cb-help cb-break" hx-swap-oob="true">→ 5<' in good.content.decode()


def test_a_payload_that_came_in_can_be_tried_and_only_by_its_own_hook(admin_client: Client) -> None:
    source, other = make_hook(), make_hook(slug="another-long-secret-slug")
    call = InboundRequest.objects.create(
        source=source, method="POST", path="/hooks/x/", status=400, body='{"sum":10.50}', answer={}
    )
    own = admin_client.get(hook_url(source, "payload") + f"?call={call.pk}")
    assert "10.50" in own.content.decode()
    assert own["HX-Trigger-After-Settle"] == "hook-payload"
    assert "10.50" not in admin_client.get(hook_url(other, "payload") + f"?call={call.pk}").content.decode()
    assert admin_client.get(hook_url(source, "payload") + "?call=x").status_code == 200


def test_the_list_of_payloads_answers_nothing_until_something_came(admin_client: Client) -> None:
    source = make_hook()
    assert admin_client.get(hook_url(source, "payloads") + "?seen=0").status_code == 204
    Client().post(f"/hooks/{source.slug}/", {"event": "x"}, content_type="application/json")
    text = admin_client.get(hook_url(source, "payloads") + "?seen=0").content.decode()
    assert "Refused 400" in text and "Point user_id at" in text


# --- The lock -------------------------------------------------------------------------------------------------------
def lock(**changes: str) -> dict[str, str]:
    usual = {"lock": "address", "slug": "a-long-and-secret-slug", "signature_header": "X-Signature"}
    return {**usual, "signature_digest": "sha256", "secret": "", **changes}


def test_the_signing_secret_is_stored_encrypted_kept_when_left_empty_and_never_shown(admin_client: Client) -> None:
    source = make_hook()
    first = admin_client.post(hook_url(source, "lock"), lock(lock="signature", secret="whsec-1"))
    again = admin_client.post(hook_url(source, "lock"), lock(lock="signature", signature_header="X-Mine"))
    source.refresh_from_db()
    assert (source.lock, source.signature_header) == ("signature", "X-Mine")
    assert "whsec-1" not in source.signing_secret and encryption.decrypt(source.signing_secret) == "whsec-1"
    page = admin_client.get(f"{SOURCES}{source.pk}/change/")
    assert all("whsec-1" not in answer.content.decode() for answer in (first, again, page))


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"slug": "short"}, "16 characters or more"),
        ({"slug": ""}, "needs an address"),
        ({"slug": "with blank and more text"}, "valid"),
        ({"slug": "taken-by-another-source", "lock": "key"}, "already exists"),
        ({"lock": "signature"}, "Enter the secret"),
        ({"lock": "nonsense"}, "mend what is marked"),
        ({"signature_header": "X Y"}, "letters, digits and hyphens"),
    ],
)
def test_a_lock_that_would_not_hold_is_not_stored(admin_client: Client, changes: dict[str, str], words: str) -> None:
    make_hook(slug="taken-by-another-source")
    source = make_hook()
    text = admin_client.post(hook_url(source, "lock"), lock(**changes)).content.decode()
    assert words in text and "Not saved yet" in text
    source.refresh_from_db()
    assert (source.slug, source.lock) == ("a-long-and-secret-slug", "address")


def test_a_short_address_is_fine_with_another_lock(admin_client: Client) -> None:
    source = make_hook()
    admin_client.post(hook_url(source, "lock"), lock(slug="cart", lock="key"))
    source.refresh_from_db()
    assert (source.slug, source.lock) == ("cart", "key")


def test_a_new_address_counts_when_it_is_saved(admin_client: Client) -> None:
    source = make_hook()
    answer = admin_client.post(hook_url(source, "lock"), lock(action="new-address"))
    fresh = answer.context["lock_form"]["slug"].value()
    assert len(fresh) >= 16 and fresh != source.slug
    source.refresh_from_db()
    assert source.slug == "a-long-and-secret-slug"
    admin_client.post(hook_url(source, "lock"), lock(slug=fresh))
    source.refresh_from_db()
    assert source.slug == fresh


@pytest.mark.parametrize("name", ["lock", "mapping", "try", "payloads", "payload"])
def test_nobody_without_the_right_sees_or_changes_a_hook(client: Client, django_user_model: Any, name: str) -> None:
    source = make_hook()
    client.force_login(django_user_model.objects.create_user("viewer", is_staff=True))
    assert client.post(hook_url(source, name), lock()).status_code == 403


@pytest.mark.parametrize("name", ["lock", "mapping", "try"])
def test_changes_need_a_post(admin_client: Client, name: str) -> None:
    assert admin_client.get(hook_url(make_hook(), name)).status_code == 405
