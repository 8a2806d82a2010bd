"""What recipients reach: unsubscribe page, one click, pixel, redirect."""

from __future__ import annotations

from uuid import UUID, uuid4

import pytest
from django.test import Client

from events.models import Event
from messaging import links
from messaging.models import DeliveryEvent, Message, Unsubscription
from messaging.preview import NOBODY
from messaging.public_pages import mask
from messaging.states import Status
from tests.factories import make_message, make_profile

pytestmark = pytest.mark.django_db
ONE_CLICK = {"List-Unsubscribe": "One-Click"}


@pytest.fixture
def message() -> Message:
    return make_message(status=Status.DELIVERED, html="<p>x</p>", address="ada@example.com")


@pytest.fixture
def visitor() -> Client:
    """A browser that has no cookie of ours, and a server that insists on CSRF tokens."""
    return Client(enforce_csrf_checks=True)


def path(url: str) -> str:
    return url[url.index("/m/") :]


def events(message: Message) -> list[str]:
    return list(Event.objects.filter(profile=message.profile_id).order_by("id").values_list("name", flat=True))


def test_looking_at_the_page_unsubscribes_nobody(visitor: Client, message: Message) -> None:
    url = path(links.unsubscribe_url(message.public_id))
    for answer in (visitor.get(url), visitor.head(url)):
        assert answer.status_code == 200
    text = visitor.get(url).content.decode()
    assert "a•••@example.com" in text
    assert "<button" in text
    assert "ada@example.com" not in text
    assert not Unsubscription.objects.exists()


def test_the_button_unsubscribes_and_the_page_offers_the_way_back(visitor: Client, message: Message) -> None:
    url = path(links.unsubscribe_url(message.public_id))
    assert visitor.post(url, {"do": "unsubscribe"}).status_code == 303
    left = Unsubscription.objects.get()
    assert (left.profile_id, left.method, left.message_id) == (message.profile_id, "page", message.pk)
    assert "You are unsubscribed" in visitor.get(url).content.decode()
    visitor.post(url, {"do": "resubscribe"})
    assert not Unsubscription.objects.exists()
    assert "Unsubscribe?" in visitor.get(url).content.decode()


def test_one_click_unsubscribes_without_cookie_token_or_page(visitor: Client, message: Message) -> None:
    answer = visitor.post(path(links.unsubscribe_url(message.public_id)), ONE_CLICK)
    assert answer.status_code == 200
    assert Unsubscription.objects.get().method == "one_click"
    message.refresh_from_db()
    assert message.status == Status.UNSUBSCRIBED
    assert events(message) == ["Email Unsubscribed"]


def test_one_click_twice_counts_once(visitor: Client, message: Message) -> None:
    for _ in range(2):
        visitor.post(path(links.unsubscribe_url(message.public_id)), ONE_CLICK)
    assert Unsubscription.objects.count() == 1
    assert events(message) == ["Email Unsubscribed"]


def test_one_click_as_multipart_works(visitor: Client, message: Message) -> None:
    boundary = "x1"
    part = 'Content-Disposition: form-data; name="List-Unsubscribe"\r\n\r\nOne-Click'
    body = f"--{boundary}\r\n{part}\r\n--{boundary}--\r\n"
    url = path(links.unsubscribe_url(message.public_id))
    visitor.post(url, body, content_type=f"multipart/form-data; boundary={boundary}")
    assert Unsubscription.objects.get().method == "one_click"


@pytest.mark.parametrize("token", ["nonsense", f"{UUID(int=7).hex}.{'x' * 43}"])
def test_a_link_that_is_not_ours_says_so(visitor: Client, token: str) -> None:
    for answer in (
        visitor.get(f"/m/u/{token}"),
        visitor.post(f"/m/u/{token}", ONE_CLICK),
        visitor.get(f"/m/c/{token}"),
    ):
        assert answer.status_code == 404
        assert "This link does not work" in answer.content.decode()


def test_the_link_of_a_preview_or_a_test_unsubscribes_nobody(visitor: Client) -> None:
    test = make_message(key="test:1", address="author@acme.example")
    for public_id in (NOBODY, test.public_id):
        url = path(links.unsubscribe_url(public_id))
        assert "nothing is changed by it" in visitor.get(url).content.decode()
        assert visitor.post(url, ONE_CLICK).status_code == 200
    assert not Unsubscription.objects.exists()


def test_the_pixel_counts_the_first_opening(visitor: Client, message: Message) -> None:
    url = path(links.open_url(message.public_id))
    for _ in range(3):
        answer = visitor.get(url, headers={"user-agent": "Mail/1.0"})
        assert (answer.status_code, answer["Content-Type"]) == (200, "image/gif")
        assert "no-store" in answer["Cache-Control"]
    message.refresh_from_db()
    assert message.status == Status.OPENED
    assert events(message) == ["Email Opened"]
    assert DeliveryEvent.objects.get(type="opened").user_agent == "Mail/1.0"


def test_a_look_at_the_headers_alone_is_no_opening_and_no_click(visitor: Client, message: Message) -> None:
    visitor.head(path(links.open_url(message.public_id)))
    visitor.head(path(links.click_url(message.public_id, "https://acme.example/")))
    assert not DeliveryEvent.objects.exists()


def test_the_pixel_shows_also_for_what_is_gone(visitor: Client) -> None:
    assert visitor.get(path(links.open_url(uuid4()))).status_code == 200
    assert visitor.get("/m/o/nonsense.gif").status_code == 200


def test_a_click_is_counted_once_a_link_and_leads_on(visitor: Client, message: Message) -> None:
    one, two = "https://acme.example/?a=1&b=2", "https://acme.example/two"
    for target in (one, one, two):
        answer = visitor.get(
            path(links.click_url(message.public_id, target)), headers={"User-Agent": "Mozilla/5.0 (X11)"}
        )
        assert (answer.status_code, answer["Location"]) == (302, target)
    message.refresh_from_db()
    assert message.status == Status.CLICKED
    clicks = Event.objects.filter(name="Email Clicked").order_by("id").values_list("properties", flat=True)
    assert [(click["url"], click["first"]) for click in clicks] == [(one, True), (two, False)]


def test_a_click_leads_nowhere_but_to_the_web(visitor: Client, message: Message) -> None:
    answer = visitor.get(path(links.click_url(message.public_id, "javascript:alert(1)")))
    assert answer.status_code == 404


def test_a_person_with_several_messages_leaves_once(visitor: Client) -> None:
    profile = make_profile()
    for message in (make_message(profile, status=Status.SENT), make_message(profile, status=Status.SENT)):
        visitor.post(path(links.unsubscribe_url(message.public_id)), ONE_CLICK)
    assert Unsubscription.objects.count() == 1


@pytest.mark.parametrize(("address", "shown"), [("ada@example.com", "a•••@example.com"), ("", ""), ("ada", "")])
def test_mask(address: str, shown: str) -> None:
    assert mask(address) == shown
