"""One person or one address at a time."""

from __future__ import annotations

import pytest

from events.models import Event, Profile
from messaging import consent
from messaging.models import Message, Suppression, Unsubscription
from messaging.states import Status
from tests.factories import make_message, make_profile

pytestmark = pytest.mark.django_db


def news(profile: Profile) -> list[str]:
    return list(Event.objects.filter(profile=profile).order_by("id").values_list("name", flat=True))


def test_a_person_leaves_once_and_campaigns_hear_of_it() -> None:
    profile = make_profile()
    assert consent.unsubscribe(profile.pk, "manual")
    assert not consent.unsubscribe(profile.pk, "page")
    assert Unsubscription.objects.get().method == "manual"
    assert news(profile) == ["Email Unsubscribed"]


def test_a_person_who_leaves_by_a_message_leaves_a_trace_on_it() -> None:
    message = make_message(status=Status.OPENED)
    assert consent.unsubscribe(message.profile_id, "page", message)
    message.refresh_from_db()
    assert message.status == Status.UNSUBSCRIBED
    assert Unsubscription.objects.get().message == message
    assert Event.objects.get().properties["message_id"] == str(message.public_id)


def test_a_test_message_unsubscribes_nobody() -> None:
    message = make_message(key="test:1")
    assert not consent.unsubscribe(message.profile_id, "page", message)
    assert not Unsubscription.objects.exists()


def test_a_person_comes_back() -> None:
    profile = make_profile()
    assert not consent.resubscribe(profile.pk)
    consent.unsubscribe(profile.pk, "page")
    assert consent.resubscribe(profile.pk)
    assert not Unsubscription.objects.exists()
    assert news(profile) == ["Email Unsubscribed", "Email Resubscribed"]


def test_an_address_is_struck_off_in_any_spelling_and_let_in_again() -> None:
    consent.suppress(" Ada@Example.com", detail="asked by phone")
    consent.suppress("ada@example.com", Suppression.Cause.BOUNCE)
    struck = Suppression.objects.get()
    assert (struck.address, struck.cause, struck.detail) == ("ada@example.com", "manual", "asked by phone")
    assert consent.unsuppress("ADA@example.com ")
    assert not consent.unsuppress("ada@example.com")
    assert not Suppression.objects.exists()


def test_a_struck_address_remembers_its_message() -> None:
    message: Message = make_message()
    consent.suppress("ada@example.com", Suppression.Cause.COMPLAINT, message=message)
    assert Suppression.objects.get().message == message
