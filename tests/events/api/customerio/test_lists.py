"""Manual segments of Customer.io's Track API are lists that are kept by hand."""

from __future__ import annotations

from typing import Any

import pytest

from events import people
from events.models import Event, InboundRequest, Segment, SegmentMember, SourceKey
from events.segments import changes
from tests.events.api.customerio.account import Account, done
from tests.factories import make_profile

pytestmark = pytest.mark.django_db


@pytest.fixture
def account() -> Account:
    return Account.make()


@pytest.fixture
def vip() -> Segment:
    return Segment.objects.create(slug="vip", name="VIP", kind=Segment.Kind.MANUAL)


def change(account: Account, segment: object, ids: Any, verb: str = "add", query: str = "") -> Any:
    return account.call("POST", f"/api/v1/segments/{segment}/{verb}_customers{query}", {"ids": ids})


def on_it(segment: Segment) -> set[str | None]:
    return set(segment.members.values_list("profile__user_id", flat=True))


@pytest.mark.parametrize("by_slug", [True, False])
def test_people_are_put_on_a_list_and_taken_off(account: Account, vip: Segment, by_slug: bool) -> None:
    name = vip.slug if by_slug else vip.pk
    for user_id in ("ada", "7"):
        make_profile(user_id)
    assert done(change(account, name, ["ada", 7]))
    assert on_it(vip) == {"ada", "7"}
    assert done(change(account, name, ["ada"]))
    assert done(change(account, name, ["ada"], "remove"))
    assert on_it(vip) == {"7"}
    told = Event.objects.order_by("pk").values_list("name", "profile__user_id")
    assert sorted(told[:2]) == [(changes.ENTERED, "7"), (changes.ENTERED, "ada")]
    assert list(told[2:]) == [(changes.LEFT, "ada")], "who was on it is not told twice"


def test_they_are_named_by_email_or_by_our_own_id(account: Account, vip: Segment) -> None:
    ada = make_profile("ada", traits={"email": "Ada@example.com"})
    ben = make_profile("ben")
    assert done(change(account, vip.pk, ["ada@example.com"], query="?id_type=email"))
    assert done(change(account, vip.pk, [people.own_id(ben)], query="?id_type=cio_id"))
    assert set(SegmentMember.objects.values_list("profile_id", flat=True)) == {ada.pk, ben.pk}


def test_whoever_is_unknown_is_left_out_and_told(account: Account, vip: Segment) -> None:
    make_profile("ada")
    answer = change(account, vip.pk, ["eve", "ada", *(f"nobody {number}" for number in range(10))])
    assert answer.status_code == 200
    assert "Nobody is known as eve, nobody 0" in answer.json()["meta"]["message"]
    assert "and 1 more" in answer.json()["meta"]["message"]
    assert on_it(vip) == {"ada"}
    assert InboundRequest.objects.get().answer == answer.json()


def test_a_thousand_long_ids_fit(account: Account, vip: Segment) -> None:
    ids = [f"{number:0100}" for number in range(1_000)]
    make_profile(ids[-1])
    assert change(account, vip.pk, ids).status_code == 200
    assert on_it(vip) == {ids[-1]}


def test_a_sandbox_reaches_its_own_people_alone(vip: Segment) -> None:
    sandbox = Account.make(is_sandbox=True)
    real = make_profile("ada", traits={"email": "ada@example.com"})
    sandbox.identify("ada", email="ada@example.com")
    assert done(change(sandbox, vip.pk, ["ada"]))
    assert change(sandbox, vip.pk, [people.own_id(real)], query="?id_type=cio_id").json() != {}
    assert on_it(vip) == {"sandbox:ada"}


@pytest.mark.parametrize(
    ("segment", "ids", "query", "status", "words"),
    [
        ("7654321", ["ada"], "", 404, "no manual segment 7654321"),
        ("no-such", ["ada"], "", 404, "no manual segment no-such"),
        ("pro", ["ada"], "", 400, "for its condition to say"),
        ("vip", "ada", "", 400, "ids has to be a list"),
        ("vip", None, "", 400, "ids has to be a list"),
        ("vip", [{"id": "ada"}], "", 400, "ids has to be a text"),
        ("vip", ["ada"] * 1001, "", 400, "1,000"),
        ("vip", ["ada"], "?id_type=phone", 400, "id_type has to be one of id, email, cio_id"),
    ],
)
def test_a_mistake_is_named_and_nothing_done(
    account: Account, vip: Segment, segment: str, ids: Any, query: str, status: int, words: str
) -> None:
    Segment.objects.create(slug="pro", name="Pro", condition={"trait": "plan", "is": "pro"})
    make_profile("ada")
    answer = change(account, segment, ids, query=query)
    assert answer.status_code == status and words in answer.json()["meta"]["error"]
    assert not SegmentMember.objects.exists()
    assert InboundRequest.objects.get().status == status


def test_a_public_key_says_nothing_about_lists(vip: Segment) -> None:
    make_profile("ada")
    answer = change(Account.make(SourceKey.Kind.PUBLIC), vip.pk, ["ada"])
    assert answer.status_code == 403 and not SegmentMember.objects.exists()
