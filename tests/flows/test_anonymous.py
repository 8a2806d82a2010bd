"""Visitors whom nobody has named yet: they enter campaigns, and take everything along when they get a name."""

from __future__ import annotations

from datetime import timedelta

import pytest
import time_machine
from django.utils import timezone

from campaigns.models import Journey
from events.models import Event, Profile
from tests.campaigns.flow import delay, make_campaign, settle
from tests.campaigns.flow import send as send_step
from tests.factories import make_key
from tests.tracking import send

pytestmark = pytest.mark.django_db


def test_a_visitor_enters_a_campaign_and_gets_its_mail_once_named() -> None:
    make_campaign(delay(), send_step())
    key = make_key()
    send("track", {"anonymousId": "a", "event": "Signed Up"}, key)
    settle()
    journey = Journey.objects.get()
    assert journey.profile.user_id is None
    send("identify", {"userId": "ada", "anonymousId": "a", "traits": {"email": "ada@example.com"}}, key)
    settle()
    with time_machine.travel(timezone.now() + timedelta(hours=2)):
        settle()
    journey.refresh_from_db()
    assert journey.profile.user_id == "ada" and journey.profile.messages.count() == 1


def test_two_devices_of_one_person_are_one_history_with_one_journey() -> None:
    make_campaign(delay(), send_step(), reentry={"rule": "always"})
    key = make_key()
    for device in ("phone", "laptop"):
        send("track", {"anonymousId": device, "event": "Signed Up"}, key)
        settle()
    assert Journey.objects.exclude(state="ended").count() == 2
    for device in ("phone", "laptop"):
        send("identify", {"userId": "ada", "anonymousId": device}, key)
    ada = Profile.objects.get()
    assert set(Event.objects.values_list("profile", flat=True)) == {ada.pk}
    assert Journey.objects.exclude(state="ended").get().profile == ada
    with time_machine.travel(timezone.now() + timedelta(hours=2)):
        settle()
    assert ada.messages.count() == 1
