"""Sources and their keys, API tokens, parked events."""

from __future__ import annotations

import shutil
import subprocess
import sys
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from events.admin.recipes import recipes
from events.models import ApiToken, Event, InboundRequest, Pending, Source, SourceKey, hash_key
from tests.factories import make_event, make_key, make_profile, make_source

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
    assert "segment.analytics" in text and "curl" in text and "Waiting for the first event" in text


def test_a_secret_key_is_shown_once_and_stored_as_its_digest(admin_client: Client) -> None:
    source = make_source()
    answer = admin_client.post(f"{PAGE}{source.pk}/keys/", {"kind": "secret", "label": "Server"})
    fresh = answer.context["fresh"]
    assert fresh.startswith("sk_") and fresh in answer.content.decode()
    assert "no-store" in answer["Cache-Control"]
    key = source.keys.get()
    assert key.key_hash == hash_key(fresh) and key.public_value == ""
    assert fresh not in admin_client.get(f"{PAGE}{source.pk}/change/").content.decode()


def test_a_revoked_key_stays_listed_as_such(admin_client: Client) -> None:
    source = make_source()
    make_key(source, SourceKey.Kind.PUBLIC)
    key = source.keys.get()
    text = admin_client.post(f"{PAGE}{source.pk}/keys/{key.pk}/revoke/").content.decode()
    key.refresh_from_db()
    assert key.revoked_at is not None
    assert "Revoked" in text and key.public_value not in text


def test_a_key_of_another_source_cannot_be_revoked_here(admin_client: Client) -> None:
    make_key(other := make_source())
    key = other.keys.get()
    admin_client.post(f"{PAGE}{make_source().pk}/keys/{key.pk}/revoke/")
    key.refresh_from_db()
    assert key.revoked_at is None


def test_keys_need_a_post_and_the_right_to_change(admin_client: Client, client: Client, django_user_model: Any) -> None:
    source = make_source()
    assert admin_client.get(f"{PAGE}{source.pk}/keys/").status_code == 405
    client.force_login(django_user_model.objects.create_user("viewer", is_staff=True))
    assert client.post(f"{PAGE}{source.pk}/keys/", {"kind": "secret"}).status_code == 403
    assert not source.keys.exists()


def test_the_sign_turns_green_with_the_first_event(admin_client: Client) -> None:
    source = make_source()
    address = f"{PAGE}{source.pk}/signs/"
    assert "Waiting for the first event" in admin_client.get(address).content.decode()
    Source.objects.filter(pk=source.pk).update(last_event_at=timezone.now())
    assert "Connected" in admin_client.get(address).content.decode()


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


def test_every_recipe_bears_host_and_key() -> None:
    for recipe in recipes("https://cue.example", "pk_123"):
        assert "https://cue.example" in recipe.code and "pk_123" in recipe.code, recipe.slug


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize(("slug", "runner"), [("python", [sys.executable, "-c"]), ("curl", ["sh", "-c"])])
def test_a_recipe_run_as_it_stands_stores_person_and_event(live_server: Any, slug: str, runner: list[str]) -> None:
    if slug == "curl" and shutil.which("curl") is None:
        pytest.skip("There is no curl here.")
    key = make_key(kind=SourceKey.Kind.PUBLIC)
    code = {recipe.slug: recipe.code for recipe in recipes(live_server.url, key)}[slug]
    subprocess.run([*runner, code], check=True, timeout=60, capture_output=True)
    event = Event.objects.get(type=Event.Type.TRACK)
    assert (event.name, event.properties) == ("Signed Up", {"plan": "free"})
    assert (event.profile.user_id, event.profile.email) == ("user-1", "ada@example.com")


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
