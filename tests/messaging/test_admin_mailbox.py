"""The built-in mailbox: a list of mails, a reading pane, and what the recipient did."""

from __future__ import annotations

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from messaging.admin.mailbox import PAGE_SIZE, newest_page, one_click_url, steps
from messaging.models import DeliveryEvent, Message, MessageBody, Provider
from messaging.states import Status
from tests.factories import make_message, make_provider

pytestmark = pytest.mark.django_db

PAGE = "/admin/messaging/message/mailbox/"


@pytest.fixture
def mailbox() -> Provider:
    return make_provider("Mailbox", is_default=True)


def make_mail(
    mailbox: Provider, subject: str = "Hello", address: str = "ada@example.com", **columns: object
) -> Message:
    columns.setdefault("status", Status.DELIVERED)
    columns.setdefault("html", "<p>A letter</p>")
    return make_message(provider=mailbox, subject=subject, address=address, sent_at=timezone.now(), **columns)


def test_empty_mailbox_says_what_to_do(admin_client: Client, mailbox: Provider) -> None:
    text = admin_client.get(PAGE).content.decode()
    assert "No mail yet" in text
    assert "Open the templates" in text


def test_without_a_mailbox_provider_the_page_offers_to_add_one(admin_client: Client) -> None:
    assert "Add the built-in mailbox" in admin_client.get(PAGE).content.decode()


def test_mails_stand_newest_first_and_only_those_the_mailbox_took(admin_client: Client, mailbox: Provider) -> None:
    make_mail(mailbox, "First")
    make_mail(mailbox, "Second")
    make_message(provider=mailbox, subject="Still queued")
    make_mail(make_provider("Real", Provider.Kind.SMTP), "Went elsewhere")
    text = admin_client.get(PAGE).content.decode()
    assert text.index("Second") < text.index("First")
    assert "Still queued" not in text
    assert "Went elsewhere" not in text


def test_mails_of_one_address_can_be_chosen(admin_client: Client, mailbox: Provider) -> None:
    make_mail(mailbox, "For Ada")
    make_mail(mailbox, "For Grace", "grace@example.com")
    make_mail(make_provider("Real", Provider.Kind.SMTP), "Elsewhere", "grace@example.com")
    text = admin_client.get(PAGE, {"address": "Grace@example.com"}).content.decode()
    assert "For Grace" in text
    assert "For Ada" not in text
    assert "Elsewhere" not in text


def test_list_goes_on_where_it_ended(mailbox: Provider) -> None:
    mails = [make_mail(mailbox, html="") for _ in range(PAGE_SIZE + 2)]
    first = newest_page("", None)
    assert first.older == first.rows[-1].pk
    rest = newest_page("", first.older)
    assert [mail.pk for mail in first.rows + rest.rows] == [mail.pk for mail in reversed(mails)]
    assert rest.older is None


def test_two_mailboxes_share_one_list(mailbox: Provider) -> None:
    other = make_provider("Another mailbox")
    mails = [make_mail(provider) for provider in (mailbox, other, mailbox, other)]
    assert [mail.pk for mail in newest_page("", None, 3).rows] == [mail.pk for mail in reversed(mails)][:3]
    assert newest_page("", None, 3).older == mails[1].pk


def test_open_mail_loads_its_pictures_and_runs_nothing(admin_client: Client, mailbox: Provider) -> None:
    mail = make_mail(mailbox, html='<p>Hello</p><img src="http://127.0.0.1:8000/m/o/token"><script>alert(1)</script>')
    text = admin_client.get(PAGE, {"mail": mail.pk}).content.decode()
    assert 'sandbox="allow-popups allow-popups-to-escape-sandbox"' in text
    assert "/m/o/token" in text
    assert "<script>alert(1)" not in text


def test_mail_of_a_real_provider_cannot_be_opened_here(admin_client: Client, mailbox: Provider) -> None:
    make_mail(mailbox)
    other = make_mail(make_provider("Real", Provider.Kind.SMTP), html="<p>Private</p>")
    text = admin_client.get(PAGE, {"mail": other.pk}).content.decode()
    assert "This mail is not here" in text
    assert "Private" not in text


def test_unsubscribe_button_does_what_a_mail_program_does(admin_client: Client, mailbox: Provider) -> None:
    mail = make_mail(mailbox)
    headers = {"List-Unsubscribe": "<https://x.example/u/1>", "List-Unsubscribe-Post": "List-Unsubscribe=One-Click"}
    MessageBody.objects.filter(pk=mail.pk).update(headers=headers)
    text = admin_client.get(PAGE, {"mail": mail.pk}).content.decode()
    assert 'action="https://x.example/u/1"' in text
    assert 'name="List-Unsubscribe" value="One-Click"' in text


@pytest.mark.parametrize(
    ("headers", "url"),
    [
        (
            {"List-Unsubscribe": "<mailto:x@y.example>, <https://y.example/u>", "List-Unsubscribe-Post": "x"},
            "https://y.example/u",
        ),
        ({"List-Unsubscribe": "<https://y.example/u>"}, ""),
        ({"List-Unsubscribe": "<javascript:alert(1)>", "List-Unsubscribe-Post": "x"}, ""),
        ({}, ""),
    ],
)
def test_one_click_address_is_read_from_the_headers(headers: dict[str, str], url: str) -> None:
    assert one_click_url(headers) == url


def test_poll_answers_only_when_something_is_new(admin_client: Client, mailbox: Provider) -> None:
    mail = make_mail(mailbox)
    shown = admin_client.get(f"{PAGE}list/").context["shown"]
    assert admin_client.get(f"{PAGE}list/", {"shown": shown}).status_code == 204
    Message.objects.filter(pk=mail.pk).update(status=Status.OPENED)
    assert "Opened" in admin_client.get(f"{PAGE}list/", {"shown": shown}).content.decode()


@pytest.mark.parametrize(
    ("status", "reports", "lit"),
    [
        (Status.SENT, [], ["Sent"]),
        (Status.BOUNCED, ["bounced"], ["Sent"]),
        (Status.OPENED, ["delivered", "opened"], ["Sent", "Delivered", "Opened"]),
        (Status.CLICKED, ["clicked"], ["Sent", "Delivered", "Opened", "Clicked"]),
        (Status.UNSUBSCRIBED, ["opened", "clicked", "unsubscribed"], ["Sent", "Delivered", "Opened", "Clicked"]),
    ],
)
def test_steps_light_up_as_far_as_the_recipient_has_come(
    mailbox: Provider, status: Status, reports: list[str], lit: list[str]
) -> None:
    mail = make_mail(mailbox, status=status)
    for type_ in reports:
        DeliveryEvent.objects.create(message=mail, type=type_, event_key=type_, timestamp=timezone.now())
    assert [step.title for step in steps(mail) if step.done] == lit


def test_page_costs_the_same_number_of_statements_for_any_number_of_mails(
    admin_client: Client, mailbox: Provider
) -> None:
    mail = make_mail(mailbox)
    with CaptureQueriesContext(connection) as few:
        admin_client.get(PAGE, {"mail": mail.pk})
    for _ in range(20):
        make_mail(mailbox)
    with CaptureQueriesContext(connection) as many:
        admin_client.get(PAGE, {"mail": mail.pk})
    assert len(many) == len(few) <= 11


@pytest.mark.parametrize("path", ["", "list/", "1/seen/"])
def test_mailbox_is_closed_without_the_permission(client: Client, django_user_model: type, path: str) -> None:
    user = django_user_model.objects.create_user("viewer", is_staff=True)  # type: ignore[attr-defined]
    client.force_login(user)
    assert client.get(PAGE + path).status_code == 403
