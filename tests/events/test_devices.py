from __future__ import annotations

from datetime import UTC, datetime

import pytest
from django.test import Client

from events import devices
from events.devices import Described
from events.merging import merge
from events.models import Device
from tests.factories import make_profile
from tests.tracking import manage

pytestmark = pytest.mark.django_db
AT = datetime(2026, 3, 2, 12, tzinfo=UTC)


def test_a_device_belongs_to_the_last_who_named_it() -> None:
    ada, ben = make_profile("ada"), make_profile("ben")
    devices.put(ada.pk, Described("token", "ios", AT, {"os": "17"}))
    devices.put(ben.pk, Described("token", "android", AT))
    device = Device.objects.get()
    assert (device.profile, device.platform, device.attributes, device.last_used_at) == (ben, "android", {}, AT)
    assert manage("profiles/ada/").json()["devices"] == []
    assert manage("profiles/ben/").json()["devices"] == [{"id": "token", "platform": "android"}]


def test_only_its_owner_loses_a_device() -> None:
    ada, ben = make_profile(), make_profile()
    devices.put(ada.pk, Described("token", "ios", AT))
    assert not devices.remove(ben.pk, "token")
    assert Device.objects.get().profile == ada
    assert devices.remove(ada.pk, "token")
    assert not Device.objects.exists()


def test_devices_go_along_with_a_merge() -> None:
    loser, winner = make_profile(), make_profile()
    devices.put(loser.pk, Described("old", "ios", AT))
    devices.put(winner.pk, Described("new", "ios", AT))
    merge([(loser.pk, winner.pk)])
    assert set(winner.devices.values_list("device_id", flat=True)) == {"old", "new"}


def test_the_page_of_a_person_shows_the_devices(admin_client: Client) -> None:
    ada, ben = make_profile(), make_profile()
    devices.put(ada.pk, Described("<token>", "ios", AT))
    page = admin_client.get(f"/admin/events/profile/{ada.pk}/change/").content.decode()
    assert "&lt;token&gt;" in page and "last used" in page
    assert "last used" not in admin_client.get(f"/admin/events/profile/{ben.pk}/change/").content.decode()
