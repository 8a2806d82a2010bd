from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.core.exceptions import ValidationError
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from events import catalog
from events.models import EventCount, EventDefinition, InboundRequest, Violation
from tests.factories import make_event, make_profile, make_source, planned

pytestmark = pytest.mark.django_db
LIST = "admin:events_eventdefinition_changelist"


@pytest.fixture
def browser(admin_client: Client) -> Client:
    return admin_client


def page(browser: Client, name: str, *args: Any, query: str = "") -> str:
    answer = browser.get(reverse(name, args=args) + query)
    assert answer.status_code == 200
    return str(answer.content.decode())


def test_the_list_shows_volume_notes_and_violations_by_the_same_statements_however_long(browser: Client) -> None:
    planned("add_to_cart")
    planned("Cart Added", throttle_seconds=10, schema={}, schema_mode="block")
    EventCount.objects.create(hour=timezone.now(), name="Cart Added", count=1234)
    Violation.objects.create(name="Cart Added", message="m")

    def shown() -> tuple[str, int]:
        with CaptureQueriesContext(connection) as asked:
            html = page(browser, LIST)
        return html, len(asked.captured_queries)

    shown()
    html, statements = shown()
    for words in ("Odd name", "Like Cart Added", "One per 10 s", "1,234", "?span=24h"):
        assert words in html
    for number in range(20):
        planned(f"Thing {number} Viewed")
    assert shown()[1] == statements


def test_what_went_silent_and_what_is_new_is_said(browser: Client) -> None:
    now = timezone.now()
    for days in range(1, 7):
        EventCount.objects.create(hour=now - timedelta(days=days, hours=1), name="Order Completed", count=10)
    planned("Order Completed")
    planned("Trial Started", first_seen_at=now, expected=True)
    planned("[identify]", first_seen_at=now)
    assert "New today" not in page(browser, LIST)
    planned("Trial Started", expected=False)
    html = page(browser, LIST)
    assert "Gone silent" in html
    assert "New today" in html
    EventCount.objects.create(hour=now, name="Order Completed", count=1)
    assert "Gone silent" not in page(browser, LIST)


def test_the_page_of_an_event_shows_its_properties_and_is_renamed_by_one_click(browser: Client) -> None:
    ada, bob = make_profile(), make_profile()
    for person in (ada, bob):
        make_event(person, "add_to_cart", {"size": "Medium"})
    catalog.learn()
    definition = EventDefinition.objects.get()
    html = page(browser, "admin:events_eventdefinition_change", definition.pk)
    assert "Medium" in html
    assert "100 %" in html
    assert html.count("Store as Cart Added") == 1
    browser.post(reverse("admin:events_eventdefinition_rename", args=[definition.pk]), {"to": "Cart Added"})
    definition.refresh_from_db()
    assert definition.rename_to == "Cart Added"


def test_of_two_names_that_mean_the_same_only_the_odd_one_is_to_be_stored_as_the_other(browser: Client) -> None:
    odd, good = planned("Sign Up"), planned("Signed Up")
    assert "Store as Signed Up" in page(browser, "admin:events_eventdefinition_change", odd.pk)
    assert "Store as Sign Up" not in page(browser, "admin:events_eventdefinition_change", good.pk)


def test_a_schema_is_made_of_what_was_seen_and_only_warns(browser: Client) -> None:
    make_event(make_profile(), properties={"price": 1})
    catalog.learn()
    definition = EventDefinition.objects.get()
    browser.post(reverse("admin:events_eventdefinition_suggest", args=[definition.pk]))
    definition.refresh_from_db()
    assert definition.schema["properties"] == {"price": {"type": "number"}}
    assert definition.schema_mode == "warn"


def test_the_form_saves_and_refuses_a_schema_that_cannot_be_used(browser: Client) -> None:
    definition = planned("Order Completed")
    address = reverse("admin:events_eventdefinition_change", args=[definition.pk])
    empty = browser.get(address).context["adminform"].form["schema"]
    assert empty.value() == ""
    words = {
        "description": "Paid",
        "schema_mode": "block",
        "rename_to": "",
        "throttle_seconds": "5",
        "retention_days": "",
    }
    answer = browser.post(address, {**words, "schema": '{"type": "nonsense"}'})
    assert "The schema cannot be used at type" in answer.content.decode()
    assert browser.post(address, {**words, "schema": '{"required": ["price"]}'}).status_code == 302
    definition.refresh_from_db()
    assert (definition.schema, definition.throttle_seconds) == ({"required": ["price"]}, 5)


@pytest.mark.parametrize(("name", "to"), [("A", "A"), ("A", "B"), ("C", "D"), ("[page]", "X"), ("A", "[page]")])
def test_renames_neither_lead_on_nor_in_a_circle(name: str, to: str) -> None:
    planned("B", rename_to="C")
    definition = planned(name)
    definition.rename_to = to
    with pytest.raises(ValidationError):
        definition.clean()


def test_violations_are_grouped_by_event_and_place_over_a_span(browser: Client) -> None:
    source, now = make_source("Shop"), timezone.now()
    for hours in (0, 0, 5, 50):
        Violation.objects.create(
            name="Order Completed",
            path="price",
            message="is missing",
            blocked=True,
            source=source,
            occurred_at=now - timedelta(hours=hours),
            sample={"user_id": "u7"},
        )
    counts = {"1h": "2, 2 refused", "24h": "3, 3 refused", "7d": "4, 4 refused"}
    for span, words in counts.items():
        html = page(browser, "admin:events_violation_changelist", query=f"?span={span}")
        assert words in html
        assert "u7" in html
    Violation.objects.all().delete()
    assert "Everything kept to its schema" in page(browser, "admin:events_violation_changelist", query="?span=odd")


def test_who_may_not_change_the_plan_cannot_by_address() -> None:
    client = Client()
    client.force_login(User.objects.create_user("reader", is_staff=True))
    definition = planned("add_to_cart")
    for name in ("rename", "suggest"):
        answer = client.post(reverse(f"admin:events_eventdefinition_{name}", args=[definition.pk]), {"to": "X"})
        assert answer.status_code == 403
    assert client.get(reverse("admin:events_violation_changelist")).status_code == 403


def test_the_live_page_shows_calls_that_were_throttled(browser: Client) -> None:
    InboundRequest.objects.create(method="POST", path="/v1/track", status=200, throttled=3)
    assert "3 throttled" in page(browser, "admin:events_event_changelist")


def test_a_list_with_too_many_names_says_so(browser: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    planned("Order Completed")
    assert "as many as are learned" not in page(browser, LIST)
    monkeypatch.setattr(catalog, "MAX_NAMES", 1)
    assert "as many as are learned" in page(browser, LIST)


def test_a_schema_is_shown_in_lines_and_none_as_nothing(browser: Client) -> None:
    without, with_one = planned("Signed Up"), planned("Ordered", schema={"required": ["total"]})
    change = "admin:events_eventdefinition_change"
    assert ">\nnull</textarea>" not in page(browser, change, without.pk)
    assert "{\n  &quot;required&quot;" in page(browser, change, with_one.pk)
    address = reverse(change, args=[without.pk])
    for text, said in (("{oops", "Enter a valid JSON."), ("[" * 100_000, "nested too deeply")):
        answer = browser.post(address, {"schema": text, "schema_mode": "warn"}).content.decode()
        assert said in answer and text[:5] in answer
