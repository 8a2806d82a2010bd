"""Groups: what ``group`` calls make of them, and what the verbs do that other APIs use."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from events import groups
from events.ingest import Item, ingest
from events.merging import merge
from events.models import Event, Group, Membership, Profile, Source
from tests.factories import make_key, make_profile, make_source
from tests.tracking import send

pytestmark = pytest.mark.django_db
NOW = datetime(2026, 3, 2, 12, tzinfo=UTC)


def group_call(user: str, key: str, traits: bytes = b"{}", at: datetime = NOW) -> Item:
    return Item("group", f"{user} {key} {at}", at, user_id=user, name=key, properties=traits, repeatable=False)


def company() -> Group:
    return Group.objects.get()


def members(key: str) -> set[str | None]:
    return set(Membership.objects.filter(group__key=key).values_list("profile__user_id", flat=True))


def test_a_group_call_makes_the_company_and_the_membership() -> None:
    call = {"userId": "ada", "groupId": 42, "traits": {"name": "Acme", "plan": "pro", "seats": 7}}
    assert send("group", call, make_key()).status_code == 200
    assert (company().type, company().key, str(company())) == ("company", "42", "Acme")
    assert company().traits == {"name": "Acme", "plan": "pro", "seats": 7}
    assert members("42") == {"ada"}
    assert Event.objects.get().type == "group"


def test_traits_merge_in_the_order_of_the_calls_and_null_forgets() -> None:
    source = make_source()
    ingest(source, [group_call("ada", "acme", b'{"plan": "free", "city": "Graz", "deep": {"a": null}}')], NOW)
    batch = [group_call("ben", "acme", b'{"plan": "pro"}'), group_call("ada", "acme", b'{"plan": "max", "city": null}')]
    ingest(source, batch, NOW)
    assert company().traits == {"plan": "max", "deep": {"a": None}}
    assert members("acme") == {"ada", "ben"}


def test_nothing_new_writes_nothing() -> None:
    source = make_source()
    call = group_call("ada", "acme", b'{"plan": "pro"}')
    ingest(source, [call], NOW)
    before = company().updated_at, Membership.objects.get().updated_at
    ingest(source, [call], NOW + timedelta(hours=1))
    assert (company().updated_at, Membership.objects.get().updated_at) == before


def test_the_group_last_spoken_of_is_the_present_one_whatever_arrives_first() -> None:
    source, ada = make_source(), make_profile("ada")
    ingest(source, [group_call("ada", "new", at=NOW), group_call("ada", "old", at=NOW - timedelta(days=1))], NOW)
    assert [group.key for group in groups.of_people([ada.pk])[ada.pk]] == ["new", "old"]
    ingest(source, [group_call("ada", "old", at=NOW + timedelta(days=9))], NOW + timedelta(hours=1))
    assert [group.key for group in groups.of_people([ada.pk])[ada.pk]] == ["old", "new"]
    assert Membership.objects.get(group__key="old").updated_at == NOW + timedelta(hours=1)


def test_a_visitor_belongs_to_a_group_and_takes_it_along() -> None:
    key = make_key()
    send("group", {"anonymousId": "a", "groupId": "acme"}, key)
    send("identify", {"userId": "ada"}, key)
    send("identify", {"userId": "ada", "anonymousId": "a"}, key)
    assert members("acme") == {"ada"}


def test_a_merge_unites_memberships() -> None:
    loser, other, winner = (make_profile(user) for user in ("loser", "other", "winner"))
    groups.relate(loser.pk, "company", "acme", {"role": "owner", "since": 2020})
    groups.relate(other.pk, "company", "acme", {"desk": 5})
    groups.relate(other.pk, "team", "blue", {})
    groups.relate(winner.pk, "company", "acme", {"role": "admin"})
    newest = max(Membership.objects.values_list("updated_at", flat=True))
    merge([(loser.pk, winner.pk), (other.pk, winner.pk)])
    acme = Membership.objects.get(group__key="acme")
    assert acme.traits == {"role": "admin", "since": 2020, "desk": 5}
    assert acme.updated_at <= newest
    assert members("blue") == members("acme") == {"winner"}


def test_a_sandbox_has_groups_of_its_own() -> None:
    sandbox = make_source()
    Source.objects.filter(pk=sandbox.pk).update(is_sandbox=True)
    send("group", {"userId": "ada", "groupId": "acme", "traits": {"plan": "test"}}, make_key(Source.objects.get()))
    send("group", {"userId": "ada", "groupId": "acme", "traits": {"plan": "pro"}}, make_key())
    assert Group.objects.get(key="sandbox:acme").traits == {"plan": "test"}
    assert Group.objects.get(key="sandbox:acme").is_sandbox
    real = Group.objects.get(key="acme")
    assert (real.traits, real.is_sandbox, members("acme")) == ({"plan": "pro"}, False, {"ada"})


def test_the_verbs_for_objects_and_relationships() -> None:
    ada = make_profile("ada")
    groups.save_object("deal", "7", {"stage": "open", "gone": 1})
    groups.save_object("deal", "7", {"stage": "won", "gone": None})
    assert company().traits == {"stage": "won"}
    groups.relate(ada.pk, "deal", "7", {"role": "buyer"})
    groups.relate(ada.pk, "deal", "7", {"vip": True})
    assert Membership.objects.get().traits == {"role": "buyer", "vip": True}
    assert company().traits == {"stage": "won"}
    assert groups.unrelate(ada.pk, "deal", "7") and not groups.unrelate(ada.pk, "deal", "7")
    groups.relate(ada.pk, "deal", "new", {})
    assert groups.delete_object("deal", "new") and not groups.delete_object("deal", "new")
    assert not Membership.objects.exists()


def statements(items: list[Item]) -> int:
    source = make_source()
    with CaptureQueriesContext(connection) as queries:
        ingest(source, items, NOW)
    return len(queries)


def test_the_statements_do_not_grow_with_the_groups_and_none_is_for_them_without_a_group_call() -> None:
    for n in range(60):
        make_profile(f"u{n}")
    tracks = [Item("track", str(n), NOW, user_id=f"u{n}", name="Hi", repeatable=False) for n in range(60)]
    statements(tracks)
    few = statements([group_call(f"u{n}", f"g{n}") for n in range(2)])
    many = statements([group_call(f"u{n}", f"g{n % 20}", b'{"n": 1}') for n in range(60)])
    assert many == few == statements(tracks) + 1


def test_the_admin_shows_companies_and_who_belongs_to_them(admin_client: Client) -> None:
    key = make_key()
    send("group", {"userId": "ada", "groupId": "acme", "traits": {"name": "<Acme>", "plan": "pro"}}, key)
    ada = Profile.objects.get()
    groups.relate(ada.pk, "company", "acme", {"role": "owner"})
    listed = admin_client.get("/admin/events/group/").content.decode()
    assert "&lt;Acme&gt;" in listed
    assert "&lt;Acme&gt;" in admin_client.get("/admin/events/group/?q=acme").content.decode()
    shown = admin_client.get(f"/admin/events/group/{company().pk}/change/").content.decode()
    assert all(part in shown for part in ("&lt;Acme&gt;", "plan", "ada", "role: owner", "What was last reported"))
    assert "No group calls" not in shown
    person = admin_client.get(f"/admin/events/profile/{ada.pk}/change/").content.decode()
    assert "Belongs to" in person and "&lt;Acme&gt;" in person and "role: owner" in person
