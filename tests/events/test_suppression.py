from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
from django.utils import timezone

from events import privacy, suppression
from events.audit import Actor
from events.ingest import Item, Result, ingest
from events.models import (
    AcceptedMessage,
    AuditEntry,
    Event,
    Identity,
    InboundRequest,
    Profile,
    SourceKey,
    SuppressedId,
    hash_key,
)
from events.pseudonyms import digest
from tests.factories import make_key, make_profile
from tests.tracking import send

pytestmark = pytest.mark.django_db
ACTOR = Actor("test")


@pytest.fixture
def key() -> Iterator[str]:
    yield make_key()


def suppress(*ids: str) -> None:
    privacy.suppress_ids(ids, ACTOR)


def track(key: str, **ids: str) -> Any:
    answer = send("track", {"event": "Hi", **ids}, key)
    assert (answer.status_code, answer.json()) == (200, {"success": True})
    return answer


def test_a_suppressed_person_is_gone_and_calls_with_any_of_their_ids_are_ignored(key: str) -> None:
    make_profile("ada", anonymous_ids=("a1",), traits={"email": "Ada@Example.com"})
    suppress("ada")
    assert not Profile.objects.exists()
    assert SuppressedId.objects.count() == 4
    for ids in (
        {"userId": "ada"},
        {"anonymousId": "a1"},
        {"userId": "ada@example.com"},
        {"userId": "Ada@Example.com"},
        {"userId": "ada", "anonymousId": "new"},
    ):
        track(key, **ids)
    send("identify", {"userId": "ada", "traits": {"name": "Ada"}}, key)
    send("alias", {"userId": "other", "previousId": "ada"}, key)
    for model in (Profile, Event, Identity, InboundRequest):
        assert not model.objects.exists()
    track(key, userId="bob")
    assert Event.objects.get().profile.user_id == "bob"


def test_in_a_batch_only_the_suppressed_are_ignored_and_the_call_is_not_kept(key: str) -> None:
    suppress("ada")
    batch = [{"type": "track", "event": "Hi", "userId": user, "messageId": user} for user in ("ada", "bob")]
    assert send("batch", {"batch": batch}, key).json() == {"success": True}
    assert list(Event.objects.values_list("profile__user_id", flat=True)) == ["bob"]
    assert not InboundRequest.objects.exists()


def test_a_repeated_or_refused_call_of_a_suppressed_person_is_not_kept_either(key: str) -> None:
    call = {"event": "Hi", "userId": "ada", "messageId": "m"}
    send("track", call, key)
    assert InboundRequest.objects.count() == AcceptedMessage.objects.count() == 1
    InboundRequest.objects.all().delete()
    suppress("ada")
    send("track", call, key)
    assert send("track", {"userId": "ada"}, key).status_code == 400
    assert send("track", b'{"userId": "\\u0061da", "event": ', key).status_code == 400
    assert send("track", b'{"userId": ["ada"]}', "").status_code == 401
    assert not InboundRequest.objects.exists()
    assert send("track", {"userId": "bob"}, key).status_code == 400
    assert InboundRequest.objects.count() == 1


def test_a_suppressed_visitors_id_is_only_left_out_beside_another_user(key: str) -> None:
    make_profile("ada", anonymous_ids=("a1",))
    suppress("ada")
    assert send("identify", {"userId": "bob", "anonymousId": "a1"}, key).status_code == 200
    assert Event.objects.get().profile.user_id == "bob"
    assert list(Identity.objects.values_list("value", flat=True)) == ["bob"]


def test_unsuppressing_one_id_lifts_all_of_the_person_and_nobody_elses(key: str) -> None:
    make_profile("ada", anonymous_ids=("a1",))
    suppress("ada", "bob")
    assert privacy.unsuppress_ids(["ada"], ACTOR) == 2
    assert suppression.among(["ada", "a1", "bob"]) == {"bob"}
    track(key, userId="ada")
    assert Profile.objects.get().user_id == "ada"
    assert privacy.unsuppress_ids(["never"], ACTOR) == 0


def test_an_id_that_nobody_has_can_be_suppressed_and_twice(key: str) -> None:
    suppress("Zoë/ż 🦊")
    suppress("Zoë/ż 🦊")
    assert SuppressedId.objects.count() == 1
    track(key, userId="Zoë/ż 🦊")
    assert not Event.objects.exists()
    assert (
        list(AuditEntry.objects.values_list("action", "profile_id", "details")) == [("suppress", None, {"ids": 1})] * 2
    )


def test_the_list_holds_no_id_in_clear() -> None:
    suppress("ada")
    assert bytes(SuppressedId.objects.get().digest) == digest("ada")
    assert b"ada" not in digest("ada")


@pytest.mark.parametrize("text", ["ada", "", "Zoë/ż 🦊", "x" * 512])
def test_the_database_reckons_the_same_digest(text: str) -> None:
    SuppressedId.objects.create(digest=digest(text))
    assert suppression.among([text, text + "x", json.dumps(text)]) == {text}


def test_a_suppressed_email_names_nobody(key: str) -> None:
    source = SourceKey.objects.get(key_hash=hash_key(key)).source
    suppress("ada@example.com")
    alone = Item("track", "m1", timezone.now(), email="Ada@Example.com")
    beside = Item("identify", "m2", timezone.now(), user_id="ben", email="ada@example.com")
    assert ingest(source, [alone, beside], timezone.now()) == Result(1, 0)
    assert Profile.objects.get().user_id == "ben"


@pytest.mark.django_db
def test_an_id_that_no_database_takes_is_nobodys() -> None:
    suppression.add([["ada"]])
    assert suppression.among(["ada", "a\0b", "\0", "\ud800"]) == {"ada"}
