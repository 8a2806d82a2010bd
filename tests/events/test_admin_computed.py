"""The pages of computed traits."""

from __future__ import annotations

from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from events.computed import building
from events.models import ComputedTrait, Segment
from tests.factories import make_event, make_profile

pytestmark = pytest.mark.django_db
FORM = {
    "name": "recent_views",
    "description": "",
    "function": "last_values",
    "event_type": "track",
    "event": "Product Viewed",
    "property": "sku",
    "also": "name, price",
    "number": "5",
    "where": '{"property": "price", "gt": 5}',
    "within": "30d",
}
ADD = "/admin/events/computedtrait/add/"


def page(row: ComputedTrait) -> str:
    return reverse("admin:events_computedtrait_change", args=[row.pk])


def errors(response: Any) -> dict[str, Any]:
    return dict(response.context["adminform"].form.errors)


def test_one_is_made_watched_changed_and_removed(admin_client: Client) -> None:
    ada = make_profile("ada")
    make_event(ada, "Product Viewed", {"sku": "a", "name": "Lamp", "price": 9})
    assert "computed traits" in admin_client.get("/admin/events/computedtrait/").content.decode().lower()
    assert admin_client.post(ADD, FORM).status_code == 302
    row = ComputedTrait.objects.get()
    assert (row.properties, row.where, row.within) == (["sku", "name", "price"], {"property": "price", "gt": 5}, "30d")
    assert row.created_by == "admin"
    shown = admin_client.get(page(row)).content.decode()
    assert "It is being computed for everybody: 0 %" in shown
    assert "{% for item in customer.recent_views %}" in shown
    progress = reverse("admin:events_computedtrait_progress", args=[row.pk])
    assert "0 %" in admin_client.get(progress).content.decode()
    while building.build_slice():
        pass
    assert admin_client.get(progress).headers["HX-Refresh"] == "true"
    assert "Live" in admin_client.get("/admin/events/computedtrait/").content.decode()
    person = admin_client.get(reverse("admin:events_profile_change", args=[ada.pk])).content.decode()
    assert 'recent_views <span class="cb-badge cb-badge--info">Computed</span>' in person
    same = {name: value for name, value in FORM.items() if name != "name"}
    assert admin_client.post(page(row), same | {"description": "For mails"}).status_code == 302
    row.refresh_from_db()
    assert (row.state, row.description, row.revision) == ("live", "For mails", 1)
    assert admin_client.post(page(row), same | {"number": "3"}).status_code == 302
    row.refresh_from_db()
    assert (row.state, row.revision) == ("building", 2)
    admin_client.post(reverse("admin:events_computedtrait_remove", args=[row.pk]))
    row.refresh_from_db()
    assert row.state == "going"
    assert "being taken from everybody" in admin_client.get(page(row)).content.decode()


@pytest.mark.parametrize(
    ("changes", "field", "words"),
    [
        ({"name": "Recent"}, "name", "small letter"),
        ({"name": "email"}, "name", "Choose another name"),
        ({"event": ""}, "event", "required"),
        ({"property": ""}, "property", "Name the property"),
        ({"function": "sum", "property": ""}, "property", "Name the property"),
        ({"within": "soon"}, "within", "time span"),
        ({"where": '{"property": "price"}'}, "where", "property"),
        ({"where": '{"trait": "plan", "is": "pro"}'}, "where", "properties"),
    ],
)
def test_mistakes_stand_at_their_field(admin_client: Client, changes: dict[str, str], field: str, words: str) -> None:
    found = errors(admin_client.post(ADD, FORM | changes))
    assert list(found) == [field]
    assert words in found[field][0]
    assert not ComputedTrait.objects.exists()


def test_what_the_function_does_without_is_let_go(admin_client: Client) -> None:
    admin_client.post(ADD, FORM | {"name": "spent", "function": "sum", "property": "price", "also": "name"})
    admin_client.post(ADD, FORM | {"name": "views", "function": "count", "property": "sku", "also": "name"})
    found = dict(ComputedTrait.objects.values_list("name", "properties"))
    assert found == {"spent": ["price"], "views": []}


def test_an_example_is_what_the_form_as_it_stands_would_come_to(admin_client: Client) -> None:
    ada = make_profile("ada")
    make_event(ada, "Product Viewed", {"sku": "lamp", "price": 9})
    ask = reverse("admin:events_computedtrait_example")
    answer = admin_client.post(ask, FORM | {"also": "", "person": "ada"}).content.decode()
    assert "lamp" in answer
    assert not ComputedTrait.objects.exists()
    assert "no such event" in admin_client.post(ask, FORM | {"event": "Other", "person": "ada"}).content.decode()
    assert "Nobody is known as “eve”" in admin_client.post(ask, FORM | {"person": "eve"}).content.decode()
    assert "Property: Name the property" in admin_client.post(ask, FORM | {"property": "", "also": ""}).content.decode()
    admin_client.post(ADD, FORM)
    kept = FORM | {"kept": "recent_views", "also": "", "person": "ada"}
    assert "lamp" in admin_client.post(ask, kept).content.decode()


def test_what_is_used_stays(admin_client: Client) -> None:
    admin_client.post(ADD, FORM)
    row = ComputedTrait.objects.get()
    Segment.objects.create(slug="s", name="Lookers", condition={"trait": "recent_views", "exists": True})
    shown = admin_client.get(page(row)).content.decode()
    assert "Lookers" in shown
    assert "Remove it" not in shown
    answer = admin_client.post(reverse("admin:events_computedtrait_remove", args=[row.pk]), follow=True)
    assert "It is used: Segment Lookers" in answer.content.decode()
    row.refresh_from_db()
    assert row.state == "building"


def test_who_may_not_see_them_sees_nothing(client: Client, django_user_model: Any) -> None:
    client.force_login(django_user_model.objects.create_user("clerk", password="x", is_staff=True))
    for name in ("example", "properties"):
        address = reverse(f"admin:events_computedtrait_{name}")
        assert client.post(address).status_code in (403, 405) or client.get(address).status_code == 403
