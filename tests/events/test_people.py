from __future__ import annotations

import pytest

from events import people
from events.models import Identity, Profile
from tests.factories import make_profile

pytestmark = pytest.mark.django_db


def test_an_id_goes_before_an_email() -> None:
    named = make_profile("ada@example.com")
    other = make_profile("u", email="ada@example.com")
    assert people.by_any("ada@example.com") == named
    assert people.by_email("ada@example.com") == other


def test_an_email_leads_to_whoever_it_names_then_to_the_first_user_who_has_it() -> None:
    make_profile(None, email="ada@example.com")
    first = make_profile("u", email="Ada@Example.com")
    make_profile("v", email="ada@example.com")
    assert people.by_any(" ADA@example.com ") == first
    known = make_profile(None, email="ada@example.com")
    Identity.objects.create(profile=known, kind=Identity.Kind.EMAIL, value="ada@example.com")
    assert people.by_any("ada@example.com") == known


def test_our_own_id_leads_to_the_person_with_and_without_its_prefix() -> None:
    ada = make_profile()
    own = people.own_id(ada)
    assert own == f"cio_{ada.pk}"
    assert people.by_own_id(own) == people.by_own_id(str(ada.pk)) == ada


@pytest.mark.parametrize("text", ["", " ", "\0", "cio_", "x", "-1", "٣", "9" * 30, str(2**63)])
def test_what_is_nobodys_finds_nobody(text: str) -> None:
    make_profile()
    for find in (people.by_any, people.by_id, people.by_email, people.by_anonymous_id, people.by_own_id):
        assert find(text) is None, find


def test_a_profile_made_by_hand_is_found_by_its_id() -> None:
    by_hand = Profile.objects.create(user_id="by-hand")
    assert people.by_id("by-hand") == by_hand


def test_many_are_found_as_each_alone_would_be() -> None:
    make_profile("ada", traits={"email": "Ada@example.com"})
    make_profile("twin", traits={"email": "ada@example.com"})
    make_profile("ben@example.com")
    make_profile(None, traits={"email": "visitor@example.com"})
    Profile.objects.create(user_id="by hand")
    named = make_profile(None)
    Identity.objects.create(profile=named, kind=Identity.Kind.EMAIL, value="eve@example.com")
    names = ["ada", "ada@example.com", "ADA@example.com ", "ben@example.com", "visitor@example.com", "by hand"]
    names += ["eve@example.com", "nobody", "", "a\0b", "sandbox:ada"]
    found = people.by_many(names)
    assert {name: found.get(name) for name in names} == {name: people.by_any(name) for name in names}
    assert len(found) == 6
