"""Merging two people, by version 1 and version 2."""

from __future__ import annotations

from typing import Any

import pytest

from events import people
from events.models import AuditEntry, Profile, SourceKey
from tests.events.api.customerio.account import Account, done
from tests.factories import make_profile

pytestmark = pytest.mark.django_db
ADA, BEN = {"id": "ada"}, {"id": "ben"}


@pytest.fixture
def account() -> Account:
    return Account.make()


def merge(account: Account, way: str, primary: Any, secondary: Any) -> Any:
    if way == "v1":
        return account.call("POST", "/api/v1/merge_customers", {"primary": primary, "secondary": secondary})
    merged: dict[str, Any] = {"type": "person", "action": "merge"}
    both = {"primary": primary, "secondary": secondary}
    return account.entity(**merged, **(both if way == "segment" else {"identifiers": both}))


ways = pytest.mark.parametrize("way", ["v1", "v2", "segment"])


@ways
def test_the_secondary_becomes_the_primary(account: Account, way: str) -> None:
    account.identify("ada", plan="pro")
    account.identify("ben", plan="free", city="Graz")
    account.track("ben", "Hi")
    assert done(merge(account, way, ADA, BEN))
    ada = Profile.objects.get()
    assert (ada.user_id, ada.traits) == ("ada", {"plan": "pro", "city": "Graz"})
    assert ada.events.count() == 3
    assert AuditEntry.objects.get(action="merge").actor == f"source {account.source.name}"
    account.track("ben", "Still here")
    assert ada.events.count() == 4 and Profile.objects.count() == 1


@ways
def test_who_says_it_again_is_not_told_off(account: Account, way: str) -> None:
    account.identify("ada")
    account.identify("ben")
    assert done(merge(account, way, ADA, BEN)) and done(merge(account, way, ADA, BEN))
    assert AuditEntry.objects.filter(action="merge").count() == 1


def test_both_are_named_in_any_way(account: Account) -> None:
    ada = make_profile("ada")
    account.identify("ben@example.com", city="Graz")
    cloe = make_profile("cloe", traits={"plan": "pro"})
    assert done(merge(account, "v1", {"cio_id": people.own_id(ada)}, {"email": "Ben@example.com"}))
    assert done(merge(account, "v2", ADA, {"cio_id": people.own_id(cloe).removeprefix("cio_")}))
    ada.refresh_from_db()
    assert ada.traits == {"email": "ben@example.com", "city": "Graz", "plan": "pro"}
    assert Profile.objects.count() == 1


@ways
@pytest.mark.parametrize(
    ("primary", "secondary", "field"),
    [
        (ADA, {"id": "nobody"}, "secondary"),
        ({"id": "nobody"}, ADA, "primary"),
        (ADA, {}, "secondary"),
        (None, ADA, "primary"),
        (ADA, "ben", "secondary"),
    ],
)
def test_whom_it_is_about_has_to_be_known(account: Account, way: str, primary: Any, secondary: Any, field: str) -> None:
    account.identify("ada")
    answer = merge(account, way, primary, secondary)
    assert answer.status_code == 400
    assert field in (answer.json()["meta"]["error"] if way == "v1" else answer.json()["errors"][0]["field"])
    assert Profile.objects.count() == 1


@ways
def test_a_public_key_merges_nobody(account: Account, way: str) -> None:
    make_profile("ada")
    make_profile("ben")
    assert merge(Account.make(SourceKey.Kind.PUBLIC), way, ADA, BEN).status_code == 403
    assert Profile.objects.count() == 2


def test_a_sandbox_merges_its_own_people(account: Account) -> None:
    make_profile("ada")
    make_profile("ben")
    sandbox = Account.make(is_sandbox=True)
    assert merge(sandbox, "v1", ADA, BEN).status_code == 400
    sandbox.identify("ada")
    sandbox.identify("ben")
    assert done(merge(sandbox, "v1", ADA, BEN))
    assert set(Profile.objects.values_list("user_id", flat=True)) == {"ada", "ben", "sandbox:ada"}


def test_in_a_batch_a_merge_comes_in_its_order(account: Account) -> None:
    def person(action: str, who: dict[str, Any], **fields: Any) -> dict[str, Any]:
        return {"type": "person", "action": action, "identifiers": who, **fields}

    both = {"type": "person", "action": "merge", "primary": ADA, "secondary": BEN}
    answer = account.batch(
        both, person("identify", ADA), person("event", BEN, name="Before"), both, person("event", BEN, name="After")
    )
    assert answer.status_code == 207
    assert [error["batch_index"] for error in answer.json()["errors"]] == [0]
    assert list(Profile.objects.get().events.order_by("id").values_list("name", flat=True)) == ["", "Before", "After"]
