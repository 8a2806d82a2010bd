"""A source's keys in the admin, and the code to copy that names them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import Permission
from django.test import Client

from events import keys
from events.admin import recipes
from events.models import Source, SourceKey, hash_key
from tests.factories import make_key, make_source

pytestmark = pytest.mark.django_db
PAGE = "/admin/events/source/"
DOCS = Path(__file__).resolve().parents[2] / "docs/clients.md"


def post(client: Client, source: Source, path: str, /, **fields: Any) -> Any:
    return client.post(f"{PAGE}{source.pk}/{path}", fields)


def test_a_secret_key_is_shown_once_and_stored_as_its_digest(admin_client: Client) -> None:
    source = make_source()
    answer = post(admin_client, source, "keys/", kind="secret", label="Server")
    fresh = answer.context["fresh"].text
    assert fresh.startswith("sk_") and fresh in answer.content.decode()
    assert "no-store" in answer["Cache-Control"]
    key = source.keys.get()
    assert key.key_hash == hash_key(fresh) and key.public_value == ""
    page = admin_client.get(f"{PAGE}{source.pk}/change/").content.decode()
    assert fresh not in page and fresh[:9] in page


def test_a_revoked_key_stays_listed_as_such(admin_client: Client) -> None:
    source = make_source()
    make_key(source, SourceKey.Kind.PUBLIC)
    key = source.keys.get()
    text = post(admin_client, source, f"keys/{key.pk}/revoke/").content.decode()
    key.refresh_from_db()
    assert key.revoked_at is not None
    assert "Revoked" in text and key.public_value not in text


@pytest.mark.parametrize("act", ["revoke", "rotate", "bounds"])
def test_a_key_of_another_source_is_out_of_reach(admin_client: Client, act: str) -> None:
    key, _ = keys.make(make_source(), "public")
    post(admin_client, make_source(), f"keys/{key.pk}/{act}/", rate_limit="5")
    key.refresh_from_db()
    assert (key.revoked_at, key.rate_limit, SourceKey.objects.count()) == (None, None, 1)


@pytest.mark.parametrize("path", ["keys/", "keys/1/rotate/", "keys/1/revoke/", "keys/1/bounds/"])
def test_keys_need_a_post_and_the_right_to_change(
    admin_client: Client, client: Client, django_user_model: Any, path: str
) -> None:
    source = make_source()
    assert admin_client.get(f"{PAGE}{source.pk}/{path}").status_code == 405
    client.force_login(django_user_model.objects.create_user("viewer", is_staff=True))
    assert post(client, source, path, kind="secret").status_code == 403
    assert not source.keys.exists()


def test_a_key_is_rotated_and_the_old_one_stays_in_use(admin_client: Client) -> None:
    source = make_source()
    old, _ = keys.make(source, "secret", "Server")
    answer = post(admin_client, source, f"keys/{old.pk}/rotate/")
    assert "works as well until you revoke it" in answer.content.decode()
    new = answer.context["fresh"].key
    assert (new.label, new.kind) == ("Server", "secret")
    old.refresh_from_db()
    assert old.revoked_at is None


def test_a_key_is_bound_to_pages_and_a_rate(admin_client: Client) -> None:
    source = make_source()
    key, _ = keys.make(source, "public")
    bounds = {"origins": "https://Shop.example/\nhttp://localhost:3000", "rate_limit": "50"}
    assert "Saved" in post(admin_client, source, f"keys/{key.pk}/bounds/", **bounds).content.decode()
    key.refresh_from_db()
    assert (key.allowed_origins, key.rate_limit) == (["http://localhost:3000", "https://shop.example"], 50)
    assert "From http://localhost:3000, https://shop.example, 50 events a second" in (
        admin_client.get(f"{PAGE}{source.pk}/change/").content.decode()
    )


def test_the_history_tells_who_did_what_to_which_key(admin_client: Client) -> None:
    source = make_source()
    post(admin_client, source, "keys/", kind="secret", label="Server")
    key = source.keys.get()
    for act in ("rotate", "bounds", "revoke", "revoke"):
        post(admin_client, source, f"keys/{key.pk}/{act}/")
    told = list(LogEntry.objects.order_by("pk").values_list("change_message", "user__username"))
    named = f"the secret key Server ({key.beginning}…)."
    acts = ("Made", "Rotated", "Changed pages and rate of", "Revoked")
    assert told == [(f"{act} {named}", "admin") for act in acts]
    assert "Rotated the secret key" in admin_client.get(f"{PAGE}{source.pk}/history/").content.decode()


def test_what_is_no_origin_is_said_beside_it_and_nothing_saved(admin_client: Client) -> None:
    source = make_source()
    key, _ = keys.make(source, "public")
    text = post(admin_client, source, f"keys/{key.pk}/bounds/", origins="shop.example", rate_limit="0").content.decode()
    assert "shop.example is no origin" in text and "greater than or equal to 1" in text
    assert ">shop.example</textarea>" in text
    key.refresh_from_db()
    assert (key.allowed_origins, key.rate_limit) == ([], None)


# --- Code to copy ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("slug", recipes.BY_SLUG)
def test_every_recipe_bears_host_and_key(slug: str) -> None:
    recipe = recipes.filled(slug, "https://cue.example", "site-1", "pk_123")
    for text in (recipe.code, recipe.curl or recipe.code):
        assert "https://cue.example" in text and "pk_123" in text
        assert "HOST" not in text and "WRITE_KEY" not in text and "SITE_ID" not in text
    assert recipe.curl or slug == "curl"


@pytest.mark.parametrize("slug", recipes.BY_SLUG)
def test_the_docs_show_the_same_code(slug: str) -> None:
    key = "YOUR_PUBLIC_KEY" if recipes.of(slug).in_browser else "YOUR_SECRET_KEY"
    assert recipes.filled(slug, "https://cuebird.example", "YOUR_SITE_ID", key).code in DOCS.read_text()


def test_only_where_there_is_no_https_is_it_left_out() -> None:
    assert "base_url" in recipes.filled("customerio-python", "http://127.0.0.1:8000", "s", "k").code
    assert "base_url" not in recipes.filled("customerio-python", "https://cue.example", "s", "k").code


def test_a_new_secret_key_stands_in_the_code_as_long_as_the_page_knows_it(admin_client: Client) -> None:
    source = make_source()
    made = post(admin_client, source, "keys/", kind="secret", client="segment-python")
    fresh = made.context["fresh"]
    assert f"write_key = &quot;{fresh.text}&quot;" in made.content.decode()
    other = post(admin_client, source, "recipe/", client="rudder-node", key=fresh.key.pk, fresh=fresh.text)
    assert f"Analytics(&quot;{fresh.text}&quot;" in other.content.decode()
    later = post(admin_client, source, "recipe/", client="rudder-node", key=fresh.key.pk)
    assert "Analytics(&quot;YOUR_SECRET_KEY&quot;" in later.content.decode()
    assert "shown only when it is made" in later.content.decode()


def test_no_text_but_the_keys_own_gets_into_the_code(admin_client: Client) -> None:
    source = make_source()
    key, _ = keys.make(source, "secret")
    text = post(admin_client, source, "recipe/", client="curl", key=key.pk, fresh="sk_made_up").content.decode()
    assert "sk_made_up" not in text and "YOUR_SECRET_KEY" in text


def test_code_for_web_pages_never_bears_a_secret_key(admin_client: Client) -> None:
    source = make_source()
    secret, text = keys.make(source, "secret")
    fields = {"client": "snippet", "key": secret.pk, "fresh": text}
    shown = post(admin_client, source, "recipe/", **fields).content.decode()
    assert text not in shown and "YOUR_PUBLIC_KEY" in shown
    _, public = keys.make(source, "public")
    assert public in post(admin_client, source, "recipe/", **fields).content.decode()


@pytest.mark.parametrize("key", ["", "x", "0", "9" * 30])
def test_an_odd_choice_shows_the_first_recipe_with_a_placeholder(admin_client: Client, key: str) -> None:
    text = post(admin_client, make_source(), "recipe/", client="odd", key=key).content.decode()
    assert "YOUR_SECRET_KEY" in text and "/v1/identify" in text


def test_whoever_may_only_look_sees_code_but_no_way_to_make_keys(client: Client, django_user_model: Any) -> None:
    user = django_user_model.objects.create_user("viewer", is_staff=True)
    user.user_permissions.add(Permission.objects.get(codename="view_source"))
    client.force_login(user)
    source = make_source()
    keys.make(source, "public")
    page = client.get(f"{PAGE}{source.pk}/change/").content.decode()
    assert "recipe-code" in page
    assert "Revoke" not in page and "New key" not in page
    assert post(client, source, "recipe/", client="curl").status_code == 200
