"""Objects, and who is related to them: by version 2, and by attributes of version 1."""

from __future__ import annotations

from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from events import people, privacy
from events.audit import Actor
from events.models import Event, Group, InboundRequest, Membership, Profile, SourceKey
from tests.events.api.customerio.account import Account, done
from tests.factories import make_profile
from tests.tracking import send

pytestmark = pytest.mark.django_db
ACME = {"object_type_id": "1", "object_id": "acme"}


@pytest.fixture
def account() -> Account:
    return Account.make()


def thing(action: str, identifiers: dict[str, Any] | None = None, **fields: Any) -> dict[str, Any]:
    return {"type": "object", "action": action, "identifiers": ACME if identifiers is None else identifiers, **fields}


def person(action: str, **fields: Any) -> dict[str, Any]:
    return {"type": "person", "action": action, "identifiers": {"id": "ada"}, **fields}


def related(identifiers: dict[str, Any], **attributes: Any) -> list[dict[str, Any]]:
    return [{"identifiers": identifiers, **({"relationship_attributes": attributes} if attributes else {})}]


def members(key: str = "acme") -> dict[str, Any]:
    rows = Membership.objects.filter(group__key=key).select_related("profile")
    return {row.profile.user_id or row.profile.email: row.traits for row in rows}


def test_the_first_type_is_companies_and_others_keep_their_number(account: Account) -> None:
    assert done(account.entity(**thing("identify", attributes={"name": "Acme", "plan": "pro", "seats": 7})))
    assert done(account.entity(**thing("identify", {"object_id": 5, "object_type_id": 2}, attributes={"topic": "x"})))
    kept = {(group.type, group.key): group.traits for group in Group.objects.all()}
    assert kept == {("company", "acme"): {"name": "Acme", "plan": "pro", "seats": 7}, ("2", "5"): {"topic": "x"}}
    assert not Event.objects.exists() and not Profile.objects.exists()


def test_the_company_is_the_one_that_group_calls_speak_of(account: Account) -> None:
    send("group", {"userId": "ada", "groupId": "acme", "traits": {"plan": "pro"}}, account.key)
    account.entity(**thing("identify", attributes={"seats": 7}, cio_relationships=related({"id": "ben"})))
    assert Group.objects.get().traits == {"plan": "pro", "seats": 7}
    assert set(members()) == {"ada", "ben"}


def test_attributes_go_with_null_or_nothing(account: Account) -> None:
    account.entity(**thing("identify", attributes={"plan": "pro", "seats": 7, "city": "Graz"}))
    account.entity(**thing("identify", attributes={"plan": None, "seats": ""}))
    assert Group.objects.get().traits == {"city": "Graz"}


@pytest.mark.parametrize("action", ["identify", "add_relationships"])
def test_people_are_related_by_any_identifier_and_made_when_unknown(account: Account, action: str) -> None:
    known = make_profile("known")
    for identifiers in (
        {"id": "ada"},
        {"email": "ben@example.com"},
        {"anonymous_id": "visitor"},
        {"cio_id": people.own_id(known)},
    ):
        assert done(account.entity(**thing(action, cio_relationships=related(identifiers, role="admin"))))
    admin = {"role": "admin"}
    assert members() == {"ada": admin, "ben@example.com": admin, "": admin, "known": admin}
    assert Profile.objects.count() == 4


def test_an_anonymous_member_is_taken_along_when_they_get_a_name(account: Account) -> None:
    account.entity(**thing("identify_anonymous", cio_relationships=related({"anonymous_id": "visitor"})))
    account.identify("ada", anonymous_id="visitor")
    assert set(members()) == {"ada"}


def test_a_person_names_the_objects_they_belong_to(account: Account) -> None:
    assert done(account.entity(**person("identify", attributes={"a": 1}, cio_relationships=related(ACME, role="x"))))
    assert Profile.objects.get().traits == {"a": 1}
    assert members() == {"ada": {"role": "x"}}
    other = {"object_type_id": "1", "object_id": "other"}
    assert done(account.entity(**person("add_relationships", cio_relationships=related(other))))
    assert members("other") == {"ada": {}}
    assert done(account.entity(**person("delete_relationships", cio_relationships=related(ACME))))
    assert members() == {} and members("other") == {"ada": {}}


def test_version_1_has_relationships_among_the_attributes(account: Account) -> None:
    added = {"action": "add_relationships", "relationships": related(ACME, role="owner")}
    assert done(account.identify("ada@example.com", plan="pro", cio_relationships=added))
    assert members() == {"ada@example.com": {"role": "owner"}}
    assert "cio_relationships" not in Profile.objects.get().traits
    ended = {"action": "delete_relationships", "relationships": related(ACME)}
    assert done(account.identify("ada@example.com", cio_relationships=ended))
    assert members() == {}


def test_an_update_of_nobody_relates_nobody(account: Account) -> None:
    update = person("identify", attributes={"_update": True}, cio_relationships=related(ACME))
    assert done(account.entity(**update))
    assert not Profile.objects.exists() and not Group.objects.exists()


def test_a_relationship_and_an_object_can_be_deleted(account: Account) -> None:
    account.entity(**thing("identify", cio_relationships=[*related({"id": "ada"}), *related({"id": "ben"})]))
    assert done(account.entity(**thing("delete_relationships", cio_relationships=related({"id": "ada"}))))
    assert set(members()) == {"ben"}
    assert done(account.entity(**thing("delete_relationships", cio_relationships=related({"id": "nobody"}))))
    assert done(account.entity(**thing("delete")))
    assert done(account.entity(**thing("delete")))
    assert not Group.objects.exists() and Profile.objects.count() == 2


def test_a_public_key_deletes_no_object(account: Account) -> None:
    public = Account.make(SourceKey.Kind.PUBLIC)
    assert done(public.entity(**thing("identify")))
    answer = public.entity(**thing("delete"))
    assert answer.status_code == 403 and Group.objects.exists()


BAD = [
    (thing("identify", {}), "object_id"),
    (thing("identify", {"object_type_id": "1"}), "object_id"),
    (thing("identify", {"object_type_id": "x" * 101, "object_id": "a"}), "object_type_id"),
    (thing("dance"), "action"),
    (thing("identify", attributes=[]), "attributes"),
    (thing("identify", cio_relationships={}), "cio_relationships"),
    (thing("identify", cio_relationships=["ada"]), "cio_relationships"),
    (thing("identify", cio_relationships=[{}]), "cio_relationships"),
    (
        thing("identify", cio_relationships=[{"identifiers": {"id": "a"}, "relationship_attributes": 7}]),
        "relationship_attributes",
    ),
    (thing("identify", cio_relationships=related({"cio_id": "cio_999999"})), "cio_id"),
    (person("identify", cio_relationships=related({"id": "ada"})), "object_id"),
    (person("add_relationships", cio_relationships=7), "cio_relationships"),
]


@pytest.mark.parametrize(("item", "field"), BAD)
def test_what_cannot_be_is_refused_by_its_field_and_does_nothing(
    account: Account, item: dict[str, Any], field: str
) -> None:
    answer = account.entity(**item)
    assert answer.status_code == 400
    (error,) = answer.json()["errors"]
    assert error["field"] == field
    assert not Group.objects.exists() and not Profile.objects.exists()


def test_in_a_batch_a_bad_object_is_refused_alone(account: Account) -> None:
    answer = account.batch(*[item for item, _ in BAD], thing("identify", cio_relationships=related({"id": "ada"})))
    assert answer.status_code == 207
    assert [error["batch_index"] for error in answer.json()["errors"]] == list(range(len(BAD)))
    assert set(members()) == {"ada"}
    assert InboundRequest.objects.get().rejected == len(BAD)


def test_version_1_names_a_bad_relationship(account: Account) -> None:
    for bad in ([], {"action": "dance"}, {"action": "add_relationships", "relationships": [{}]}):
        answer = account.identify("ada", cio_relationships=bad)
        assert answer.status_code == 400
        assert any(word in answer.json()["meta"]["error"] for word in ("cio_relationships", "action", "object_id"))
    assert not Profile.objects.exists()


def test_who_is_suppressed_is_related_to_nothing(account: Account) -> None:
    privacy.suppress_ids(["ada"], Actor("test"))
    relations = [*related({"id": "ada"}), *related({"id": "ben"})]
    assert done(account.entity(**thing("identify", cio_relationships=relations)))
    assert set(members()) == {"ben"}


def test_a_sandbox_has_objects_of_its_own(account: Account) -> None:
    sandbox = Account.make(is_sandbox=True)
    for each in (account, sandbox):
        each.entity(**thing("identify", attributes={"plan": "pro"}, cio_relationships=related({"id": "ada"})))
    assert set(members("sandbox:acme")) == {"sandbox:ada"} and set(members()) == {"ada"}
    sandbox.entity(**thing("delete_relationships", cio_relationships=related({"id": "ada"})))
    sandbox.entity(**thing("delete"))
    assert Group.objects.get().key == "acme" and set(members()) == {"ada"}


def test_the_number_of_statements_does_not_grow_with_the_objects(
    account: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("events.api.inbound.sampled", lambda: False)

    def statements(count: int) -> int:
        items: list[dict[str, Any]] = []
        for number in range(count):
            own = people.own_id(make_profile())
            ids = [{"id": f"{count}-{number}"}, {"email": f"{count}-{number}@example.com"}, {"cio_id": own}]
            relations = [one for each in ids for one in related(each)]
            key = {"object_type_id": "1", "object_id": f"{count}-{number}"}
            items.append(thing("identify", key, attributes={"n": number}, cio_relationships=relations))
            items.append(person("identify", attributes={"n": number}, cio_relationships=related(key)))
        with CaptureQueriesContext(connection) as queries:
            assert done(account.batch(*items))
        return len([query for query in queries if "SAVEPOINT" not in query["sql"]])

    statements(1)
    assert statements(2) == statements(40)
