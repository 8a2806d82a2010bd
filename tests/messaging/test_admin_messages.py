"""The messages of the console: the list, one message's page, and what an operator can do there."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.conf import settings
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import Permission, User
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from messaging.models import DeliveryEvent, Message
from messaging.reasons import Reason
from messaging.states import Status
from tests.factories import make_message, make_profile, make_provider, make_template, make_version

pytestmark = pytest.mark.django_db

LIST = "/admin/messaging/message/"


def page_of(message: Message) -> str:
    return f"{LIST}{message.pk}/change/"


def text_of(client: Client, url: str) -> str:
    response = client.get(url)
    assert response.status_code == 200
    return response.content.decode()


def viewer(*permissions: str) -> Client:
    """Log in a member of staff with these permissions alone."""
    user = User.objects.create_user("viewer", is_staff=True)
    user.user_permissions.set(Permission.objects.filter(codename__in=permissions))
    client = Client()
    client.force_login(user)
    return client


def test_list_shows_newest_first_and_the_state_in_words(admin_client: Client) -> None:
    make_message(subject="The older one", status=Status.BOUNCED)
    make_message(subject="The newer one", status=Status.UNKNOWN)
    text = text_of(admin_client, LIST)
    assert text.index("The newer one") < text.index("The older one")
    assert "Unknown: may have been sent" in text


@pytest.mark.parametrize("query", ["ada@example.com", "ADA@example.com", "user-ada"])
def test_search_finds_the_messages_of_a_person(admin_client: Client, query: str) -> None:
    ada = make_profile("user-ada", traits={"email": "ada@example.com"})
    make_message(ada, subject="For Ada")
    make_message(make_profile(traits={"email": "grace@example.com"}), subject="For Grace")
    text = text_of(admin_client, f"{LIST}?q={query}")
    assert "For Ada" in text
    assert "For Grace" not in text


def test_search_finds_a_message_by_the_address_it_went_to(admin_client: Client) -> None:
    make_message(subject="A test mail", address="tester@example.com")
    assert "A test mail" in text_of(admin_client, f"{LIST}?q=tester@example.com")


def test_search_finds_a_message_by_its_public_id(admin_client: Client) -> None:
    message = make_message(subject="This one")
    make_message(subject="Not that one")
    text = text_of(admin_client, f"{LIST}?q={message.public_id}")
    assert "This one" in text
    assert "Not that one" not in text


def test_list_costs_the_same_number_of_statements_for_any_number_of_messages(admin_client: Client) -> None:
    provider = make_provider()
    make_message(provider=provider)
    with CaptureQueriesContext(connection) as few:
        text_of(admin_client, LIST)
    for _ in range(20):
        make_message(provider=provider)
    with CaptureQueriesContext(connection) as many:
        text_of(admin_client, LIST)
    assert len(many) == len(few)
    assert len(many) <= 8
    assert not any("COUNT(" in query["sql"] for query in many.captured_queries)


def test_list_calls_what_has_no_subject_yet_by_its_template(admin_client: Client) -> None:
    make_message(template_version=make_version(make_template("Weekly letter")))
    assert "Weekly letter" in text_of(admin_client, LIST)


def test_list_and_page_are_closed_without_the_permission() -> None:
    message = make_message()
    client = viewer()
    assert client.get(LIST).status_code == 403
    assert client.get(page_of(message)).status_code == 403


def test_nobody_can_change_or_delete_a_message_by_hand(admin_client: Client) -> None:
    message = make_message(subject="As it was")
    assert admin_client.get(f"{LIST}add/").status_code == 403
    assert admin_client.post(f"{LIST}{message.pk}/delete/", {"post": "yes"}).status_code == 403
    admin_client.post(page_of(message), {"subject": "Other"})
    message.refresh_from_db()
    assert message.subject == "As it was"


def test_page_of_an_unknown_message_is_not_found(admin_client: Client) -> None:
    assert admin_client.get(f"{LIST}123456/change/").status_code == 404
    assert admin_client.get(f"{LIST}no-number/change/").status_code == 404


def test_page_shows_why_a_mail_bounced(admin_client: Client) -> None:
    message = make_message(status=Status.BOUNCED, address="ada@example.com", sent_at=timezone.now())
    DeliveryEvent.objects.create(
        message=message,
        type="bounced",
        event_key="one",
        timestamp=timezone.now(),
        reason="bounced",
        description="The account is gone",
        mta_response="550 5.1.1 user unknown",
    )
    text = text_of(admin_client, page_of(message))
    assert "The mailbox does not exist, or does not take mail" in text
    assert "The account is gone" in text
    assert "550 5.1.1 user unknown" in text


def test_page_shows_the_history_in_the_order_of_time(admin_client: Client) -> None:
    start = timezone.now() - timedelta(hours=1)
    message = make_message(status=Status.CLICKED, provider=make_provider("Postmark"), sent_at=start)
    rows = [("clicked", 3, "https://example.com/guide"), ("delivered", 1, ""), ("opened", 2, "")]
    for type_, minutes, url in rows:
        at = start + timedelta(minutes=minutes)
        DeliveryEvent.objects.create(message=message, type=type_, event_key=type_, timestamp=at, url=url)
    Message.objects.update(created_at=start - timedelta(minutes=5))
    text = text_of(admin_client, page_of(message))
    titles = ["Put into the outbox", "Handed to Postmark", "Delivered to the", ">Opened<", ">Clicked<"]
    history = text[text.index("What happened") :]
    assert sorted(titles, key=history.index) == titles
    assert "https://example.com/guide" in history


def test_page_shows_the_mail_without_running_or_counting_it(admin_client: Client) -> None:
    html = (
        f'<h1>Hello</h1><script>alert(1)</script><img src="{settings.BASE_URL}/m/o/token" width="1">'
        '<img src="https://cdn.example.com/logo.png">'
    )
    message = make_message(status=Status.SENT, html=html)
    text = text_of(admin_client, page_of(message))
    assert "<script>alert(1)" not in text
    assert 'sandbox srcdoc="' in text
    assert "/m/o/token" not in text
    assert "cdn.example.com/logo.png" in text


def test_page_costs_few_statements_however_long_the_history(admin_client: Client) -> None:
    message = make_message(status=Status.OPENED, html="<p>Hello</p>", provider=make_provider())
    DeliveryEvent.objects.bulk_create(
        DeliveryEvent(message=message, type="opened", event_key=f"{number}", timestamp=timezone.now())
        for number in range(30)
    )
    with CaptureQueriesContext(connection) as queries:
        text_of(admin_client, page_of(message))
    assert len(queries) <= 9


def test_unknown_message_is_sent_again_by_a_permitted_operator(admin_client: Client) -> None:
    message = make_message(status=Status.UNKNOWN, reason=Reason.OUTCOME_UNKNOWN, attempts=3)
    assert "Send this message again?" in text_of(admin_client, page_of(message))
    response = admin_client.post(f"{LIST}{message.pk}/send-again/")
    assert response.status_code == 302
    message.refresh_from_db()
    assert (message.status, message.reason, message.attempts) == (Status.QUEUED, "", 0)
    assert LogEntry.objects.get().change_message == "Sent again by hand."


def test_unknown_message_is_left_by_a_permitted_operator(admin_client: Client) -> None:
    message = make_message(status=Status.UNKNOWN)
    admin_client.post(f"{LIST}{message.pk}/leave/")
    message.refresh_from_db()
    assert (message.status, message.reason) == (Status.FAILED, Reason.OUTCOME_UNKNOWN)


@pytest.mark.parametrize("verb", ["send-again", "leave"])
@pytest.mark.parametrize("status", [Status.SENDING, Status.SENT, Status.QUEUED])
def test_message_that_has_moved_on_is_left_alone(admin_client: Client, verb: str, status: Status) -> None:
    message = make_message(status=status)
    response = admin_client.post(f"{LIST}{message.pk}/{verb}/", follow=True)
    assert "Nothing was done" in response.content.decode()
    message.refresh_from_db()
    assert message.status == status
    assert not LogEntry.objects.exists()


@pytest.mark.parametrize("verb", ["send-again", "leave"])
def test_operating_needs_its_own_permission_and_a_post(admin_client: Client, verb: str) -> None:
    message = make_message(status=Status.UNKNOWN)
    client = viewer("view_message")
    assert "Send this message again?" not in text_of(client, page_of(message))
    assert client.post(f"{LIST}{message.pk}/{verb}/").status_code == 403
    assert admin_client.get(f"{LIST}{message.pk}/{verb}/").status_code == 405
    message.refresh_from_db()
    assert message.status == Status.UNKNOWN
