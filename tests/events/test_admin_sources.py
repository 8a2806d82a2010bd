"""Sources and their keys, API tokens, parked events."""

from __future__ import annotations

from typing import Any

import pytest
from django.contrib.auth.models import Permission
from django.test import Client
from django.utils import timezone

from events.models import ApiToken, InboundRequest, Pending, Source, SourceKey, hash_key
from tests.factories import make_event, make_key, make_profile, make_source
from tests.tracking import send

pytestmark = pytest.mark.django_db

PAGE = "/admin/events/source/"


def test_a_new_source_comes_with_a_public_key_and_code_to_copy(admin_client: Client) -> None:
    answer = admin_client.post(f"{PAGE}add/", {"name": "Web shop", "kind": "tracking"}, follow=True)
    source = Source.objects.get(name="Web shop")
    key = source.keys.get()
    assert source.site_id
    assert key.kind == SourceKey.Kind.PUBLIC
    text = answer.content.decode()
    assert key.public_value in text
    assert "segment-analytics-python" in text and "/v1/identify" in text and "Waiting for the first event" in text


def test_the_sign_turns_green_with_the_first_event(admin_client: Client) -> None:
    source = make_source()
    address = f"{PAGE}{source.pk}/signs/"
    assert "Waiting for the first event" in admin_client.get(address).content.decode()
    Source.objects.filter(pk=source.pk).update(last_event_at=timezone.now())
    assert "Connected" in admin_client.get(address).content.decode()


def test_the_sign_is_sent_only_when_it_has_changed(admin_client: Client) -> None:
    source = make_source()
    address = f"{PAGE}{source.pk}/signs/"
    seen = admin_client.get(address).context["signs_seen"]
    assert admin_client.get(f"{address}?seen={seen}").status_code == 204
    InboundRequest.objects.create(method="POST", path="/v1/track", status=401, answer={"message": "Unknown key."})
    assert admin_client.get(f"{address}?seen={seen}").status_code == 200


def test_the_last_call_is_shown_with_its_parse_and_answer_and_keys_masked(admin_client: Client) -> None:
    key = make_key(source := make_source())
    address = f"{PAGE}{source.pk}/last/"
    assert "No call yet" in admin_client.get(address).content.decode()
    send("track", {"userId": "ada", "event": "First", "writeKey": key}, key)
    send("track", {"userId": "ada", "writeKey": key}, key)
    send("track", {"userId": "ben", "event": "Of another source"}, make_key())
    answer = admin_client.get(address)
    text = answer.content.decode()
    assert "The track call needs its event." in text and "missing_field" in text and "Before that" in text
    assert key not in text and "Of another source" not in text
    seen = answer.context["seen"]
    asked = {"HX-Request": "true"}
    assert admin_client.get(f"{address}?seen={seen}", headers=asked).status_code == 204
    send("track", {"userId": "ada", "event": "Second"}, key)
    newer = admin_client.get(f"{address}?seen={seen}", headers=asked).content.decode()
    assert "Second" in newer and "<html" not in newer


def test_the_last_call_is_for_those_who_may_see_events(client: Client, django_user_model: Any) -> None:
    source = make_source()
    user = django_user_model.objects.create_user("viewer", is_staff=True)
    user.user_permissions.add(Permission.objects.get(codename="view_source"))
    client.force_login(user)
    assert client.get(f"{PAGE}{source.pk}/last/").status_code == 403


def test_a_refused_call_is_mentioned_while_nothing_has_arrived(admin_client: Client) -> None:
    source = make_source()
    InboundRequest.objects.create(method="POST", path="/v1/track", status=401, answer={"message": "Unknown key."})
    assert "Unknown key." in admin_client.get(f"{PAGE}{source.pk}/signs/").content.decode()


def test_only_a_source_without_history_can_be_deleted(admin_client: Client) -> None:
    used, unused = make_source(), make_source()
    Source.objects.filter(pk=used.pk).update(last_event_at=timezone.now())
    assert admin_client.post(f"{PAGE}{used.pk}/delete/", {"post": "yes"}).status_code == 403
    assert admin_client.post(f"{PAGE}{unused.pk}/delete/", {"post": "yes"}).status_code == 302
    assert list(Source.objects.all()) == [used]


def test_what_a_source_is_is_settled_when_it_is_made(admin_client: Client) -> None:
    admin_client.post(f"{PAGE}add/", {"name": "Trial", "kind": "tracking", "is_sandbox": "on"})
    source = Source.objects.get()
    assert source.is_sandbox
    form = {"name": "Trial 2", "enabled": "on", "kind": "webhook", "strict": "on", "store_user_agent": "on"}
    admin_client.post(f"{PAGE}{source.pk}/change/", form)
    source.refresh_from_db()
    assert (source.name, source.kind, source.is_sandbox) == ("Trial 2", "tracking", True)
    assert (source.strict, source.store_ip, source.store_user_agent) == (True, False, True)


def test_an_api_token_is_shown_once(admin_client: Client) -> None:
    answer = admin_client.post("/admin/events/apitoken/new/", {"label": "Reports", "everything": "1"})
    fresh = answer.context["fresh"]
    assert ApiToken.objects.get().key_hash == hash_key(fresh)
    assert fresh in answer.content.decode()
    assert fresh not in admin_client.get("/admin/events/apitoken/").content.decode()


def test_a_token_without_a_name_is_not_made(admin_client: Client) -> None:
    text = admin_client.post("/admin/events/apitoken/new/", {"label": " "}).content.decode()
    assert "Say what it is for" in text
    assert not ApiToken.objects.exists()


def test_a_token_may_do_only_what_was_chosen(admin_client: Client) -> None:
    address = "/admin/events/apitoken/new/"
    assert "Choose at least one" in admin_client.post(address, {"label": "Reports"}).content.decode()
    admin_client.post(address, {"label": "Reports", "scopes": ["events:read", "made up"]})
    assert ApiToken.objects.get().scopes == ["events:read"]
    assert "events:read" in admin_client.get("/admin/events/apitoken/").content.decode()


def test_tokens_are_revoked_from_the_list(admin_client: Client) -> None:
    admin_client.post("/admin/events/apitoken/new/", {"label": "Reports", "everything": "1"})
    token = ApiToken.objects.get()
    admin_client.post("/admin/events/apitoken/", {"action": "revoke", "_selected_action": [token.pk]})
    token.refresh_from_db()
    assert token.revoked_at is not None


def test_parked_events_can_try_again_and_others_are_not_listed(admin_client: Client) -> None:
    ada = make_profile()
    parked, waiting = make_event(ada, "Parked one", pending=True), make_event(ada, "Waiting one", pending=True)
    Pending.objects.filter(pk=parked.pk).update(parked_at=timezone.now(), error="boom")
    text = admin_client.get("/admin/events/pending/").content.decode()
    assert "Parked one" in text and "boom" in text and "Waiting one" not in text
    admin_client.post("/admin/events/pending/", {"action": "try_again", "_selected_action": [parked.pk]})
    again = Pending.objects.get(pk=parked.pk)
    assert (again.parked_at, again.error) == (None, "")
    assert Pending.objects.filter(pk=waiting.pk).exists()


@pytest.mark.parametrize(
    "address",
    [
        "auth/user/",
        "auth/user/add/",
        "auth/group/add/",
        "django_celery_beat/periodictask/",
        "events/source/",
        "events/",
    ],
)
def test_pages_of_users_and_tasks_open(admin_client: Client, address: str) -> None:
    assert admin_client.get(f"/admin/{address}").status_code == 200
