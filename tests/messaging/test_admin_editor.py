"""The template and layout editors: live preview of unsaved content, sending a test, and what is refused."""

from __future__ import annotations

from typing import Any

import pytest
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import Permission, User
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from events.models import Profile, Source
from messaging.models import Layout, Message, Purpose, Template
from tests.factories import make_event, make_profile, make_provider, make_source, make_template

pytestmark = pytest.mark.django_db

TEMPLATES = "/admin/messaging/template/"
# The browser posts along how many rows for languages there are.
ROWS = {"translations-TOTAL_FORMS": "0", "translations-INITIAL_FORMS": "0"}
PREVIEW = f"{TEMPLATES}preview/"
LAYOUTS = "/admin/messaging/layout/"


@pytest.fixture
def ada() -> Profile:
    return make_profile("ada", traits={"email": "ada@example.com", "first_name": "Ada", "plan": "pro"})


@pytest.fixture
def source() -> Source:
    return make_source()


def form(**values: Any) -> dict[str, Any]:
    """Return what the browser posts of the template editor."""
    content = {"name": "Mail", "purpose": Purpose.TRANSACTIONAL, "subject": "Hello", "html": "<p>Hello</p>"}
    return {**content, "preheader": "", "text": "", "layout": "", "from_email": "", "reply_to": "", **ROWS, **values}


def preview(client: Client, **values: Any) -> str:
    response = client.post(PREVIEW, form(**values))
    assert response.status_code == 200
    return response.content.decode()


def staff(*permissions: str) -> Client:
    user = User.objects.create_user("author", is_staff=True)
    user.user_permissions.set(Permission.objects.filter(codename__in=permissions))
    client = Client()
    client.force_login(user)
    return client


def test_preview_writes_the_unsaved_mail_for_the_chosen_person_and_event(
    admin_client: Client, ada: Profile, source: Source
) -> None:
    make_profile("grace", traits={"first_name": "Grace"})
    event = make_event(ada, "Visited Pricing Page", {"plan_name": "Team"}, source=source)
    text = preview(
        admin_client,
        subject="Dear {{ customer.first_name }}",
        html="<p>You looked at {{ trigger.plan_name }}</p>",
        profile=ada.pk,
        event=event.pk,
    )
    assert "Dear Ada" in text
    assert "You looked at Team" in text
    assert not Template.objects.exists()


def test_preview_puts_the_mail_into_the_chosen_layout(admin_client: Client, ada: Profile) -> None:
    layout = Layout.objects.create(name="Frame", html="<b>Acme</b>{{ content }}")
    assert "&lt;b&gt;Acme&lt;/b&gt;" in preview(admin_client, layout=layout.pk, profile=ada.pk)


def test_empty_form_is_greeted_without_complaint(admin_client: Client) -> None:
    text = preview(admin_client, subject="", html="")
    assert "Begin to write" in text
    assert "cb-note--bad" not in text


def test_preview_cannot_run_scripts(admin_client: Client, ada: Profile) -> None:
    text = preview(admin_client, html="<script>alert(1)</script>", profile=ada.pk)
    assert "<script>alert(1)" not in text
    assert "<iframe sandbox srcdoc=" in text


def test_preview_names_missing_variables(admin_client: Client, ada: Profile) -> None:
    assert "customer.nickname is missing" in preview(admin_client, html="{{ customer.nickname }}", profile=ada.pk)


@pytest.mark.parametrize(
    ("field", "source", "place"),
    [
        ("html", "<p>\n{% if %}</p>", "HTML, line 2"),
        ("subject", "{{ customer.first_name | no_such_filter }}", "Subject, line 1"),
        ("text", "{% for x in %}", "Text, line 1"),
    ],
)
def test_preview_shows_an_error_at_its_field_and_line(
    admin_client: Client, ada: Profile, field: str, source: str, place: str
) -> None:
    response = admin_client.post(PREVIEW, form(profile=ada.pk, **{field: source}))
    assert response.status_code == 200
    assert f"{place}:" in response.content.decode()
    assert f'data-field="{field}"' in response.content.decode()
    assert response["HX-Retarget"] == "#cbm-notes"


@pytest.mark.parametrize(
    "hostile",
    [
        "{% for a in (1..100000) %}{% for b in (1..100000) %}x{% endfor %}{% endfor %}",
        "{% assign x = 'aaaaaaaaaa' %}" + "{% assign x = x | append: x %}" * 40 + "{{ x }}",
        "{% if a %}" * 500,
        "{{" * 5000,
        "{% include 'secrets' %}",
        "\x00",
        "{{ customer.__class__.__mro__ }}",
        "{{ 'a' | divided_by: 0 }}{{ 1 | divided_by: 0 }}",
    ],
)
def test_hostile_template_shows_a_message_and_never_breaks_the_page(
    admin_client: Client, ada: Profile, hostile: str
) -> None:
    text = preview(admin_client, html=hostile, profile=ada.pk)
    assert "Traceback" not in text
    assert "__mro__" not in text or "missing" in text


def test_marketing_mail_without_an_unsubscribe_link_is_warned_about(admin_client: Client, ada: Profile) -> None:
    warning = "This marketing mail has no unsubscribe link of its own"
    layout = Layout.objects.create(name="Frame", html="{{ content }} <a href='{{ unsubscribe_url }}'>Leave</a>")
    assert warning in preview(admin_client, purpose=Purpose.MARKETING, profile=ada.pk)
    assert warning not in preview(admin_client, purpose=Purpose.MARKETING, profile=ada.pk, layout=layout.pk)
    assert warning not in preview(admin_client, purpose=Purpose.TRANSACTIONAL, profile=ada.pk)


def test_without_people_the_preview_uses_a_made_up_one(admin_client: Client) -> None:
    assert "Dear Ada" in preview(admin_client, html="Dear {{ customer.first_name }}")
    assert "A made-up person" in admin_client.get(f"{TEMPLATES}choice/").content.decode()


def test_author_who_may_not_see_people_gets_the_made_up_one(ada: Profile) -> None:
    client = staff("view_template", "change_template")
    text = client.post(PREVIEW, form(html="{{ customer.email }} {{ customer.plan }}", profile=ada.pk)).content.decode()
    assert "ada@example.com pro" in text
    choice = client.get(f"{TEMPLATES}choice/", {"profile": ada.pk}).content.decode()
    assert "you may not look at people" in choice
    assert client.get(f"{TEMPLATES}people/", {"q": "a"}).status_code == 403


def test_choice_offers_the_newest_event_and_its_variables(admin_client: Client, ada: Profile, source: Source) -> None:
    make_event(ada, "Order Completed", {"amount": 30}, source=source)
    make_event(ada, "Email Sent", {"message_id": "x"})
    text = admin_client.get(f"{TEMPLATES}choice/", {"profile": ada.pk}).content.decode()
    assert "Order Completed" in text
    assert "Email Sent" not in text
    assert 'data-insert="{{ trigger.amount }}"' in text
    assert 'data-insert="{{ customer.plan }}"' in text


def test_event_of_another_person_is_not_shown(admin_client: Client, ada: Profile, source: Source) -> None:
    event = make_event(make_profile("grace"), "Secret Thing", {"secret": "hidden"}, source=source)
    text = admin_client.get(f"{TEMPLATES}choice/", {"profile": ada.pk, "event": event.pk}).content.decode()
    assert "Secret Thing" not in text
    assert "hidden" not in preview(admin_client, html="{{ trigger.secret }}", profile=ada.pk, event=event.pk)


@pytest.mark.parametrize("query", ["ad", "ADA@", ""])
def test_people_are_found_by_the_beginning_of_id_or_email(admin_client: Client, ada: Profile, query: str) -> None:
    assert "ada@example.com" in admin_client.get(f"{TEMPLATES}people/", {"q": query}).content.decode()


def test_nobody_found_is_said(admin_client: Client, ada: Profile) -> None:
    assert "Nobody" in admin_client.get(f"{TEMPLATES}people/", {"q": "zoe"}).content.decode()


def test_preview_costs_few_statements(admin_client: Client, ada: Profile, source: Source) -> None:
    layout = Layout.objects.create(name="Frame", html="{{ content }}")
    event = make_event(ada, source=source)
    with CaptureQueriesContext(connection) as queries:
        preview(admin_client, layout=layout.pk, profile=ada.pk, event=event.pk)
    assert len(queries) <= 12


@pytest.mark.parametrize("path", [TEMPLATES, f"{TEMPLATES}add/", LAYOUTS, f"{LAYOUTS}add/"])
def test_pages_render(admin_client: Client, path: str) -> None:
    make_template("A mail")
    Layout.objects.create(name="Frame", html="{{ content }}")
    assert admin_client.get(path).status_code == 200


def test_template_is_saved_with_plain_line_ends(admin_client: Client) -> None:
    response = admin_client.post(f"{TEMPLATES}add/", form(html="<p>One\r\nTwo</p>"))
    assert response.status_code == 302
    assert Template.objects.get().html == "<p>One\nTwo</p>"


def test_template_with_an_error_is_not_saved(admin_client: Client) -> None:
    text = admin_client.post(f"{TEMPLATES}add/", form(html="<p>\r\n{% if %}</p>")).content.decode()
    assert "Line 2:" in text
    assert not Template.objects.exists()


def test_layout_without_a_place_for_the_mail_is_not_saved(admin_client: Client) -> None:
    text = admin_client.post(f"{LAYOUTS}add/", {"name": "Frame", "html": "<b>Acme</b>", "text": ""}).content.decode()
    assert "{{ content }}" in text
    assert not Layout.objects.exists()


def test_layout_preview_shows_a_template_within_the_unsaved_frame(admin_client: Client, ada: Profile) -> None:
    template = make_template(html="<p>Dear {{ customer.first_name }}</p>")
    values = {"name": "x", "html": "<i>Frame</i>{{ content }}", "text": "", "profile": ada.pk}
    sample = admin_client.post(f"{LAYOUTS}preview/", values).content.decode()
    inside = admin_client.post(f"{LAYOUTS}preview/", {**values, "within": template.pk}).content.decode()
    assert "Here stands what a template says" in sample
    assert "&lt;i&gt;Frame&lt;/i&gt;&lt;p&gt;Dear Ada" in inside


def test_layout_preview_shows_errors_of_the_frame(admin_client: Client) -> None:
    text = admin_client.post(f"{LAYOUTS}preview/", {"html": "{% if %}", "text": ""}).content.decode()
    assert "The layout" in text


def test_template_that_has_been_frozen_cannot_be_deleted(admin_client: Client) -> None:
    from tests.factories import make_version

    template = make_template()
    make_version(template)
    assert admin_client.post(f"{TEMPLATES}{template.pk}/delete/", {"post": "yes"}).status_code == 403


def saved(template: Template, **values: Any) -> dict[str, Any]:
    """Return the form of a template as the browser shows it, with CR LF line ends."""
    content = {name: getattr(template, name).replace("\n", "\r\n") for name in ("subject", "html", "text")}
    return form(name=template.name, purpose=template.purpose, **content, **values)


def test_test_mail_goes_to_the_address_written_for_the_chosen_person(admin_client: Client, ada: Profile) -> None:
    make_provider(is_default=True)
    template = make_template(html="<p>Dear\n{{ customer.first_name }}</p>")
    url = f"{TEMPLATES}{template.pk}/test/"
    text = admin_client.post(url, saved(template, profile=ada.pk, address="me@example.com")).content.decode()
    message = Message.objects.get()
    assert (message.address, message.profile) == ("me@example.com", ada)
    assert f"/admin/messaging/message/{message.pk}/change/" in text
    assert "read it in the mailbox" in text
    assert LogEntry.objects.get().change_message == "Sent a test to me@example.com."


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"address": "nonsense"}, "is not an email address"),
        ({"address": ""}, "Write the address"),
        ({"address": "me@example.com", "subject": "Changed since"}, "Save your changes first"),
    ],
)
def test_test_mail_is_refused_with_a_reason(
    admin_client: Client, ada: Profile, values: dict[str, str], words: str
) -> None:
    template = make_template()
    posted = {**saved(template, profile=ada.pk), **values}
    assert words in admin_client.post(f"{TEMPLATES}{template.pk}/test/", posted).content.decode()
    assert not Message.objects.exists()


def test_sending_a_test_needs_the_right_to_change_the_template(ada: Profile) -> None:
    template = make_template()
    client = staff("view_template", "view_profile")
    posted = saved(template, profile=ada.pk, address="me@example.com")
    assert client.post(f"{TEMPLATES}{template.pk}/test/", posted).status_code == 403
    assert staff_without_rights().post(PREVIEW, form()).status_code == 403


def staff_without_rights() -> Client:
    client = Client()
    client.force_login(User.objects.create_user("nobody", is_staff=True))
    return client


def test_any_past_event_is_found_by_its_name(admin_client: Client, ada: Profile, source: Source) -> None:
    make_event(ada, "Order Completed", {"total": 9}, source=source)
    for _ in range(30):
        make_event(ada, "Visited Pricing Page", source=source)
    url = f"{TEMPLATES}choice/"
    assert "Order Completed" not in admin_client.get(url, {"profile": ada.pk}).content.decode()
    found = admin_client.get(url, {"profile": ada.pk, "named": "order"}).content.decode()
    assert "Order Completed" in found and "trigger.total" in found
    assert "Visited Pricing Page" not in found
    none = admin_client.get(url, {"profile": ada.pk, "named": "nothing"}).content.decode()
    assert "begins with “nothing”" in none
