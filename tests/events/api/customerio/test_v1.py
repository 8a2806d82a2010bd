from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from django.db import OperationalError

from events import devices, people, privacy
from events.audit import Actor
from events.devices import Described
from events.models import AuditEntry, Event, InboundRequest, Profile, SourceKey, SuppressedId
from tests.events.api.customerio.account import Account, done
from tests.factories import make_profile
from tests.tracking import manage, send

pytestmark = pytest.mark.django_db
AT = datetime(2026, 3, 2, 12, tzinfo=UTC)


@pytest.fixture
def account() -> Account:
    return Account.make()


# --- Credentials and errors ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", ["/auth", "/api/v1/accounts/region"])
def test_good_credentials_are_answered_with_json(account: Account, path: str) -> None:
    answer = account.call("GET", path)
    assert answer.status_code == 200 and answer.json()


def test_the_region_is_here(account: Account) -> None:
    region = account.call("GET", "/api/v1/accounts/region").json()
    assert region["url"].startswith("http")
    assert (region["data_center"], region["environment_id"]) == ("us", account.source.pk)


def test_without_the_right_site_and_key_nothing_is_taken(account: Account) -> None:
    other = Account.make()
    crossed = Account(account.source, other.key)
    for bad in (crossed, Account(account.source, ""), Account(account.source, "x" * 600)):
        for path, method in (("/auth", "GET"), ("/api/v1/customers/ada", "PUT"), ("/api/v2/batch", "POST")):
            answer = bad.call(method, path, {"batch": []})
            assert answer.status_code == 401
            assert "API key" in str(answer.json())
    for header in ("", "Basic", "Basic !", f"Bearer {account.key}", "Basic \xff"):
        assert account.call("GET", "/auth", Authorization=header).status_code == 401, header
    assert not Profile.objects.exists()


def test_errors_name_the_field_and_are_kept_for_the_debugger(account: Account) -> None:
    answer = account.track("ada", " ")
    assert (answer.status_code, answer.json()) == (400, {"meta": {"error": "name cannot be blank"}})
    kept = InboundRequest.objects.get()
    assert (kept.status, kept.answer, kept.source) == (400, answer.json(), account.source)
    assert kept.path == "/api/v1/customers/ada/events"


def test_an_accepted_call_is_kept_with_its_event(account: Account, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("events.api.inbound.sampled", lambda: True)
    account.track("ada", "Hi")
    assert Event.objects.get().request == InboundRequest.objects.get(status=200, accepted=1)


def test_a_call_may_have_32_kb(account: Account) -> None:
    fits = {"name": "Hi", "data": {"text": "x" * (32 * 1024 - 40)}}
    assert done(account.customer("POST", "ada", "/events", fits))
    fits["data"] = {"text": "x" * 32 * 1024}
    answer = account.customer("POST", "ada", "/events", fits)
    assert answer.status_code == 400 and "32 KB" in answer.json()["meta"]["error"]


@pytest.mark.parametrize(
    "body", [b"", b"{", b"[]", b"7", b'{"name": ' + b"[" * 300 + b"]" * 300 + b"}", b'{"data": 1e400}']
)
def test_a_body_that_is_no_good_object_is_400(account: Account, body: bytes) -> None:
    answer = account.customer("POST", "ada", "/events", body)
    assert answer.status_code == 400 and answer.json()["meta"]["error"]


def test_trouble_with_the_database_is_503(account: Account, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: Any, **__: Any) -> None:
        raise OperationalError("the connection is lost")

    monkeypatch.setattr("events.grouping.store", fail)
    answer = account.track("ada", "Hi")
    assert answer.status_code == 503 and answer["Retry-After"]
    assert answer.json()["meta"]["error"]


# --- People ----------------------------------------------------------------------------------------------------------


def test_attributes_become_traits_and_go_with_null_or_nothing(account: Account) -> None:
    assert done(account.identify("ada", email="ada@example.com", plan="pro", age=36, seats=[1]))
    assert done(account.identify("ada", plan=None, age=""))
    profile = manage("profiles/ada/").json()
    assert profile["traits"] == {"email": "ada@example.com", "seats": [1]}
    assert profile["email"] == "ada@example.com"
    activity = manage("profiles/ada/activity/").json()["results"]
    assert [entry["type"] for entry in activity] == ["identify", "identify"]
    assert activity[1]["properties"] == {"email": "ada@example.com", "plan": "pro", "age": 36, "seats": [1]}


def test_an_update_makes_nobody(account: Account) -> None:
    assert done(account.identify("ada", plan="pro", _update=True))
    assert not Profile.objects.exists()
    account.identify("ada")
    account.identify("ada", plan="pro", _update=True)
    assert Profile.objects.get().traits == {"plan": "pro"}


def test_an_anonymous_id_brings_the_visitors_history(account: Account) -> None:
    assert done(account.call("POST", "/api/v1/events", {"anonymous_id": "device", "name": "Visited"}))
    account.identify("ada", anonymous_id="device")
    ada = Profile.objects.get()
    assert ada.user_id == "ada" and ada.traits == {}
    assert ada.events.filter(name="Visited").exists()


def test_an_anonymous_event_may_name_nobody(account: Account) -> None:
    assert done(account.call("POST", "/api/v1/events", {"name": "Invited", "data": {"recipient": "x@y.io"}}))
    assert done(account.call("POST", "/api/v1/events", {"name": "Invited"}))
    assert Profile.objects.filter(user_id=None).count() == 2


@pytest.mark.parametrize(
    "identifier",
    ["ada/1", "a b", "ada+1@x", "ü 🎉", "100%", "a%2Fb", "x/events", "//", "ada/", "a?b#c", "5", "a\nb", "'"],
)
def test_an_id_may_hold_anything(account: Account, identifier: str) -> None:
    assert done(account.identify(identifier, plan="pro"))
    assert done(account.track(identifier, "Hi"))
    assert done(account.customer("PUT", identifier, "/devices", {"device": {"id": "t", "platform": "ios"}}))
    profile = Profile.objects.get()
    assert (profile.user_id, profile.traits, profile.events.count()) == (identifier, {"plan": "pro"}, 2)
    assert profile.devices.count() == 1
    assert done(account.customer("DELETE", identifier))
    assert not Profile.objects.exists()


@pytest.mark.parametrize("identifier", ["x" * 600, "a\0b", " ", "sandbox:ada", "undefined"])
def test_an_id_that_cannot_be_is_400(account: Account, identifier: str) -> None:
    answer = account.identify(identifier)
    assert answer.status_code == 400 and answer.json()["meta"]["error"]


def test_an_email_as_identifier_makes_a_person_who_can_be_found_and_written_to(account: Account) -> None:
    assert done(account.identify("Ada@example.com", plan="pro"))
    assert done(account.track("ada@example.com", "Hi"))
    profile = manage("profiles/ada%40example.com/").json()
    assert (profile["user_id"], profile["email"]) == (None, "Ada@example.com")
    assert profile["traits"] == {"email": "Ada@example.com", "plan": "pro"}
    assert done(account.identify("ada", email="ada@example.com"))
    assert Profile.objects.get().user_id == "ada"
    assert manage("profiles/ada%40example.com/").json()["user_id"] == "ada"


def test_an_email_that_is_somebodys_user_id_means_them(account: Account) -> None:
    ada = make_profile("ada@example.com")
    account.track("ada@example.com", "Hi")
    assert Event.objects.get().profile == ada


def test_an_id_beside_an_email_names_the_person(account: Account) -> None:
    account.track("ada@example.com", "Hi")
    account.identify("ada@example.com", id="ada")
    ada = Profile.objects.get()
    assert (ada.user_id, ada.traits) == ("ada", {"email": "ada@example.com"})
    assert done(account.identify("ada", id="ada"))
    assert account.identify("ada", id="other").status_code == 400


def test_our_own_id_names_the_person(account: Account) -> None:
    for profile in (make_profile("ada"), make_profile(None, anonymous_ids=("device",))):
        own = people.own_id(profile)
        assert done(account.track(own, "Hi")), own
        assert done(account.identify(own, plan="pro"))
        assert Event.objects.filter(profile=profile).count() == 2
    account.track("ben@example.com", "Hi")
    ben = Profile.objects.get(email="ben@example.com")
    account.track(people.own_id(ben), "Hi")
    assert ben.events.count() == 2 and Profile.objects.count() == 3
    assert manage("profiles/ada/").json()["cio_id"] == people.own_id(Profile.objects.get(user_id="ada"))


def test_an_own_id_of_nobody_is_an_error_that_says_so(account: Account) -> None:
    for answer in (account.track("cio_999999", "Hi"), account.customer("POST", "cio_999999", "/suppress")):
        assert answer.status_code == 400 and "cio_999999" in answer.json()["meta"]["error"]
    assert not Profile.objects.exists()


# --- Events ----------------------------------------------------------------------------------------------------------


def test_events_pages_and_screens_keep_what_they_say(account: Account) -> None:
    for kind in ("event", "page", "screen"):
        data = {"price": 23.45, "items": [{"sku": "A"}]}
        assert done(account.track("ada", f" A {kind} ", type=kind, data=data, timestamp=1767323045, more=1))
    stored = Event.objects.order_by("id")
    assert [event.type for event in stored] == ["track", "page", "screen"]
    event = stored[0]
    assert (event.name, event.properties) == ("A event", {"price": 23.45, "items": [{"sku": "A"}]})
    assert event.timestamp == datetime.fromtimestamp(1767323045, UTC)
    assert event.extra == {"more": 1}


@pytest.mark.parametrize("given", [1767323045, 1767323045.5, "1767323045"])
def test_times_are_unix_seconds(account: Account, given: Any) -> None:
    assert done(account.track("ada", "Hi", timestamp=given))
    assert Event.objects.get().timestamp == datetime.fromtimestamp(float(given), UTC)


@pytest.mark.parametrize("given", ["soon", "nan", -1, 1767323045000, [], True, "2026-01-02T03:04:05Z"])
def test_other_times_are_refused(account: Account, given: Any) -> None:
    answer = account.track("ada", "Hi", timestamp=given)
    assert answer.status_code == 400 and "timestamp" in answer.json()["meta"]["error"]


def test_an_event_with_an_id_counts_once(account: Account) -> None:
    for _ in range(2):
        assert done(account.track("ada", "Hi", id="01ARZ3NDEKTSV4RRFFQ69G5FAV"))
    assert Event.objects.get().message_id == "01ARZ3NDEKTSV4RRFFQ69G5FAV"


@pytest.mark.parametrize(
    "fields", [{}, {"name": ""}, {"name": 7}, {"name": "Hi", "type": "group"}, {"name": "Hi", "data": []}]
)
def test_a_bad_event_is_refused(account: Account, fields: dict[str, Any]) -> None:
    assert account.customer("POST", "ada", "/events", fields).status_code == 400
    assert not Profile.objects.exists()


def test_the_people_are_the_same_as_segments(account: Account) -> None:
    send("track", {"userId": "ada", "event": "Bought"}, account.key)
    account.track("ada", "Hi")
    assert Profile.objects.get().events.count() == 2


# --- Devices, deletion, suppression ----------------------------------------------------------------------------------


def test_devices_come_and_go(account: Account) -> None:
    device = {"id": "to/ken", "platform": "ios", "last_used": 1767323045, "attributes": {"os": "17"}}
    assert done(account.customer("PUT", "ada", "/devices", {"device": device}))
    assert manage("profiles/ada/").json()["devices"] == [{"id": "to/ken", "platform": "ios"}]
    kept = Profile.objects.get().devices.get()
    assert (kept.attributes, kept.last_used_at) == ({"os": "17"}, datetime.fromtimestamp(1767323045, UTC))
    assert done(account.customer("DELETE", "ada", "/devices/to%2Fken", {}))
    assert done(account.customer("DELETE", "nobody", "/devices/to%2Fken", {}))
    assert manage("profiles/ada/").json()["devices"] == []


@pytest.mark.parametrize("body", [{}, {"device": {"platform": "ios"}}, {"device": {"id": "t"}}, {"device": "t"}])
def test_a_bad_device_is_refused(account: Account, body: Any) -> None:
    assert account.customer("PUT", "ada", "/devices", body).status_code == 400
    assert not Profile.objects.exists()


def test_a_deleted_person_is_gone_and_may_come_back(account: Account) -> None:
    account.identify("ada", plan="pro")
    for _ in range(2):
        assert done(account.customer("DELETE", "ada", "", {}))
    assert not Profile.objects.exists() and not Event.objects.exists()
    assert AuditEntry.objects.get().actor == f"source {account.source.name}"
    account.identify("ada")
    assert Profile.objects.get().traits == {}


def test_who_is_suppressed_is_ignored_until_they_are_let_in_again(account: Account) -> None:
    account.identify("ada", email="ada@example.com")
    assert done(account.customer("POST", "ada", "/suppress", {}))
    assert not Profile.objects.exists()
    assert done(account.identify("ada", plan="pro"))
    assert done(account.track("ada@example.com", "Hi"))
    device = {"device": {"id": "token", "platform": "ios"}}
    assert done(account.customer("PUT", "ada", "/devices", device))
    assert send("track", {"userId": "ada", "event": "Hi"}, account.key).status_code == 200
    assert not Profile.objects.exists()
    assert done(account.customer("POST", "ada", "/unsuppress", {}))
    account.track("ada", "Hi")
    assert Profile.objects.get().user_id == "ada"


def test_somebody_whom_nobody_knows_can_be_suppressed(account: Account) -> None:
    assert done(account.customer("POST", "Ada@example.com", "/suppress"))
    account.track("ada@example.com", "Hi")
    assert not Profile.objects.exists()
    account.customer("POST", "ada@example.com", "/unsuppress")
    account.track("ada@example.com", "Hi")
    assert Profile.objects.exists()


@pytest.mark.parametrize(("method", "rest"), [("DELETE", ""), ("POST", "/suppress"), ("POST", "/unsuppress")])
def test_a_public_key_deletes_and_suppresses_nobody(account: Account, method: str, rest: str) -> None:
    account.identify("ada")
    public = Account.make(SourceKey.Kind.PUBLIC)
    answer = public.customer(method, "ada", rest)
    assert answer.status_code == 403 and "secret key" in answer.json()["meta"]["error"]
    assert Profile.objects.exists() and not SuppressedId.objects.exists()
    assert done(public.identify("ada", plan="pro"))


def test_a_suppressed_persons_device_goes_with_them(account: Account) -> None:
    ada = make_profile("ada")
    devices.put(ada.pk, Described("token", "ios", AT))
    privacy.suppress_ids(["ada"], Actor("test"))
    assert done(account.customer("DELETE", "ada", "/devices/token"))


# --- The rest --------------------------------------------------------------------------------------------------------


def test_a_form_makes_a_person_and_an_event(account: Account) -> None:
    data = {"email": "ada@example.com", "first_name": "Ada"}
    answer = account.call("POST", "/api/v1/forms/news letter/submit", {"data": data})
    assert (answer.status_code, answer.content) == (204, b"")
    ada = Profile.objects.get()
    assert (ada.user_id, ada.traits) == (None, data)
    event = Event.objects.get(type="track")
    assert (event.name, event.properties) == ("Form Submitted", {"form_id": "news letter", **data})
    assert account.call("POST", "/api/v1/forms/1/submit", {"data": {"first_name": "Ada"}}).status_code == 400


@pytest.mark.parametrize(("path", "field"), [("metrics", "metric"), ("push/events", "event")])
def test_reports_need_no_credentials_and_a_message_that_is_ours(account: Account, path: str, field: str) -> None:
    answer = account.call("POST", f"/api/v1/{path}", {"delivery_id": "x", field: "opened"}, Authorization="")
    assert answer.status_code == 200 and "No message" in answer.json()["meta"]["message"]
    for body in ({field: "opened"}, {"delivery_id": "x"}, {"delivery_id": "x", field: "eaten"}):
        assert account.call("POST", f"/api/v1/{path}", body).status_code == 400


def test_other_verbs_and_methods_are_refused_in_json(account: Account) -> None:
    assert account.customer("POST", "ada", "/dance").status_code == 404
    answer = account.call("GET", "/api/v1/customers/ada")
    assert answer.status_code == 405 and answer.json()["meta"]["error"]


def test_a_sandbox_has_people_of_its_own() -> None:
    ada = make_profile("ada", email="ada@example.com")
    sandbox = Account.make(is_sandbox=True)
    sandbox.track("ada", "Hi")
    sandbox.customer("PUT", "ada", "/devices", {"device": {"id": "t", "platform": "ios"}})
    apart = Profile.objects.get(user_id="sandbox:ada")
    assert apart.devices.count() == apart.events.count() == 1
    assert done(sandbox.track(people.own_id(apart), "Hi")) and apart.events.count() == 2
    assert sandbox.track(people.own_id(ada), "Hi").status_code == 400
    sandbox.customer("DELETE", "ada@example.com")
    sandbox.customer("DELETE", "ada")
    assert list(Profile.objects.all()) == [ada]
