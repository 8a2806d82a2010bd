"""What is kept of where a call came from, as the source wants it; and a sandbox's people apart from the others."""

from __future__ import annotations

from typing import Any

import pytest
from django.db import IntegrityError
from pytest_django import Settings

from events.models import Event, Identity, InboundRequest, Profile, Source
from tests.factories import make_key, make_profile, make_source
from tests.tracking import manage, send

pytestmark = pytest.mark.django_db
CONTEXT = {"ip": "192.0.2.7", "userAgent": "Firefox", "userAgentData": {"mobile": False}, "n": 1.10, "a": {"ip": "x"}}
REST = {"n": 1.1, "a": {"ip": "x"}}


def key_of(**switches: bool) -> str:
    source = make_source()
    Source.objects.filter(pk=source.pk).update(**switches)
    return make_key(source)


def track(key: str, context: dict[str, Any] | None = None, **headers: str) -> dict[str, Any]:
    """Send a call and return the context that is stored of it."""
    call = {"event": "Hi", "userId": "u", "context": context or {}}
    assert send("track", call, key, **headers).status_code == 200
    stored = Event.objects.order_by("-pk").first()
    assert stored is not None
    found: dict[str, Any] = stored.context
    return found


def test_addresses_and_browsers_are_kept_unless_the_source_says_otherwise() -> None:
    assert track(key_of(), CONTEXT) == CONTEXT
    assert track(key_of(store_ip=False), CONTEXT) == {k: v for k, v in CONTEXT.items() if k != "ip"}
    no_agent = track(key_of(store_user_agent=False), CONTEXT)
    assert no_agent == {**REST, "ip": "192.0.2.7"}
    assert track(key_of(store_ip=False, store_user_agent=False), CONTEXT) == REST


def test_a_call_kept_for_the_debugger_keeps_no_more_than_the_log() -> None:
    key = key_of(store_ip=False, store_user_agent=False)
    calls = [{"type": "track", "event": "Hi", "userId": "u", "context": CONTEXT, "n": 1.10}, {"type": "x"}, 7]
    body = b'{"batch": [{"type":"track","event":"Hi","userId":"u","context":{"ip":"192.0.2.7"},"n":1.10}, 7]}'
    send("batch", body, key, User_Agent="Firefox")
    send("batch", {"batch": calls, "context": CONTEXT}, key, User_Agent="Firefox")
    send("track", {"context": CONTEXT}, key, User_Agent="Firefox")
    send("track", b'{"context": {"ip": "192.0.2.7"', key, User_Agent="Firefox")
    kept = InboundRequest.objects.order_by("pk")
    assert [row.client for row in kept] == [""] * 4
    assert not [row.body for row in kept if "192.0.2.7" in row.body or "Firefox" in row.body or "mobile" in row.body]
    assert [row.body[:9] for row in kept] == ['{"batch":', '{"batch":', '{"context', ""]
    assert '"n":1.10' in kept[0].body, "everything else stays as it came"


def test_a_direct_call_gets_the_address_it_came_from() -> None:
    key, direct = key_of(), {"direct": True}
    assert track(key, direct) == {**direct, "ip": "127.0.0.1"}
    assert track(key, {**direct, "ip": "192.0.2.7"})["ip"] == "192.0.2.7"
    assert "ip" not in track(key, {"direct": False})
    assert "ip" not in track(key_of(store_ip=False), direct)


@pytest.mark.parametrize(
    ("proxies", "forwarded", "address"),
    [
        ([], "192.0.2.7", "127.0.0.1"),
        (["127.0.0.1"], "192.0.2.7", "192.0.2.7"),
        (["127.0.0.0/8"], "198.51.100.1, 192.0.2.7", "192.0.2.7"),
        (["127.0.0.1", "192.0.2.0/24"], "198.51.100.1, 192.0.2.7", "198.51.100.1"),
        (["127.0.0.1"], "2001:db8::1", "2001:db8::1"),
    ],
)
def test_only_our_own_proxies_are_believed(
    settings: Settings, proxies: list[str], forwarded: str, address: str
) -> None:
    settings.TRUSTED_PROXIES = proxies
    assert track(key_of(), {"direct": True}, X_Forwarded_For=forwarded)["ip"] == address


def test_an_unreadable_proxy_header_says_nothing(settings: Settings) -> None:
    settings.TRUSTED_PROXIES = ["127.0.0.1"]
    assert "ip" not in track(key_of(), {"direct": True}, X_Forwarded_For="<script>")


def test_a_sandbox_makes_people_of_its_own_and_never_touches_real_ones() -> None:
    real = make_profile("42", anonymous_ids=("a",), traits={"email": "ada@example.com", "plan": "pro"})
    key = key_of(is_sandbox=True)
    send("identify", {"userId": "42", "anonymousId": "a", "traits": {"plan": "free", "email": "x@example.com"}}, key)
    send("track", {"anonymousId": "a", "event": "Hi"}, key)
    send("alias", {"userId": "43", "previousId": "42"}, key)
    person = Profile.objects.exclude(pk=real.pk).get()
    assert (person.user_id, person.is_sandbox, person.is_test) == ("sandbox:43", True, True)
    assert person.traits == {"plan": "free", "email": "x@example.com"}
    values = Identity.objects.filter(profile=person).values_list("value", flat=True)
    assert all(value.startswith("sandbox:") for value in values)
    assert Event.objects.filter(profile=person).count() == 3
    real.refresh_from_db()
    assert (real.user_id, real.traits["plan"], real.is_sandbox) == ("42", "pro", False)
    assert set(Identity.objects.filter(profile=real).values_list("value", flat=True)) == {"42", "a"}


def test_a_sandbox_person_is_read_back_by_the_id_with_the_prefix() -> None:
    send("track", {"userId": "42", "event": "Hi"}, key_of(is_sandbox=True))
    assert manage("profiles/sandbox:42/").json()["user_id"] == "sandbox:42"
    assert manage("profiles/sandbox%3A42/activity/").json()["results"][0]["name"] == "Hi"
    assert manage("profiles/42/").status_code == 404


@pytest.mark.parametrize("field", ["userId", "anonymousId", "previousId"])
def test_nobody_can_claim_an_id_of_a_sandbox(field: str) -> None:
    call = {"userId": "u", "previousId": "p", field: "sandbox:42"}
    answer = send("alias", call, key_of())
    assert (answer.status_code, answer.json()["field"]) == (400, field)


def test_the_database_keeps_a_sandbox_person_out_of_figures_for_good() -> None:
    send("track", {"userId": "42", "event": "Hi"}, key_of(is_sandbox=True))
    with pytest.raises(IntegrityError):
        Profile.objects.update(is_test=False)
