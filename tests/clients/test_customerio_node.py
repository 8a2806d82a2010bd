"""Customer.io's library for Node.js against a live server, changed in nothing but its URL."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from pytest_django.live_server_helper import LiveServer

from events.models import Device, Event, InboundRequest, Membership, Profile, Segment
from messaging.models import Unsubscription
from messaging.states import Status
from tests.clients import packages
from tests.events.api.customerio.account import Account
from tests.factories import make_key, make_message, make_profile

pytestmark = pytest.mark.django_db(transaction=True)
AT = datetime.fromtimestamp(1767323045, UTC)


def test_every_method_of_the_track_client_works(live_server: LiveServer) -> None:
    account = Account.make()
    message = make_message(make_profile("reader"), status=Status.SENT)
    vip = Segment.objects.create(slug="vip", name="VIP", kind=Segment.Kind.MANUAL)
    given = (account.source.site_id, account.key, str(message.public_id), str(vip.pk))
    packages.run("customerio-track", live_server.url, *given)

    ada = Profile.objects.get(user_id="ada")
    assert ada.traits == {"email": "ada@example.com", "age": 36, "city": "Graz"}
    assert set(ada.events.values_list("type", "name")) == {
        ("track", "Visited"),
        ("identify", ""),
        ("track", "Order Completed"),
        ("track", "Once"),
        ("track", "Segment Entered"),
        ("page", "/pricing"),
        ("track", "In a batch"),
        ("screen", "Home"),
    }
    assert Event.objects.filter(name="Once").count() == 1
    order = Event.objects.get(name="Order Completed")
    assert (order.properties, order.timestamp) == ({"total": 19.99, "items": [{"sku": "A"}]}, AT)
    device = Device.objects.get()
    assert (device.profile, device.device_id, device.platform) == (ada, "ada/1 +ü@🎉%2F", "ios")
    assert (device.last_used_at, device.attributes) == (AT, {"model": "x"})
    membership = Membership.objects.get()
    assert (membership.profile, membership.group.key, membership.traits) == (ada, "acme", {"role": "admin"})
    cloe = Profile.objects.get(email="cloe@example.com")
    assert cloe.events.get(name="Form Submitted").properties["form_id"] == "newsletter"
    assert list(vip.members.values_list("profile_id", flat=True)) == [ada.pk]
    message.refresh_from_db()
    assert message.status == Status.UNSUBSCRIBED
    assert set(message.delivery_events.values_list("type", flat=True)) == {"delivered", "clicked", "unsubscribed"}
    assert Unsubscription.objects.get().message == message
    refused = InboundRequest.objects.filter(status__gte=400).values_list("status", flat=True)
    assert sorted(refused) == [400, 400, 401, 404, 404]


def test_every_method_of_the_pipelines_client_works(live_server: LiveServer) -> None:
    packages.run("customerio-pipelines-client", live_server.url, make_key())

    ada = Profile.objects.get()
    assert (ada.user_id, ada.traits) == ("ada@example.com", {"email": "ada@example.com", "age": 36})
    assert ada.language == "de-AT"
    assert sorted(ada.events.values_list("type", "name")) == [
        ("alias", "ada"),
        ("group", "acme"),
        ("identify", ""),
        ("page", "Home"),
        ("screen", "Main"),
        ("track", "Beside"),
        ("track", "Imported"),
        ("track", "Order Completed"),
        ("track", "Visited"),
    ]
    assert Event.objects.get(name="Imported").timestamp == datetime(2025, 6, 7, 8, 9, 10, tzinfo=UTC)
    assert Device.objects.get().profile == ada
    assert Membership.objects.get().group.traits == {"seats": 5}
    # What was dropped permissively is shown like what was refused.
    refused = InboundRequest.objects.filter(rejected__gt=0) | InboundRequest.objects.exclude(status=200)
    assert sorted(refused.values_list("status", flat=True)) == [200, 200, 400, 401]
