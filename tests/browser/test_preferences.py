"""What people say of messages, in a real Chromium without scripts or cookies, and by posts as mail programs make."""

from __future__ import annotations

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from http.client import HTTPConnection
from typing import Any
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Browser, Page

from events.models import Profile
from messaging import consent, delivery, links
from messaging.models import Consent, Message, MessageBody, TrackingRefusal, Unsubscription
from messaging.states import Status
from tests.factories import make_message, make_profile, make_provider, make_template, make_topic, make_version
from tests.messaging.test_public_pages import gets, path

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.browser]
Hands = tuple[ThreadPoolExecutor, Browser]


class Reader:
    """Somebody who reads mail in a browser that runs no scripts, on a phone in the dark."""

    def __init__(self, hands: Hands, origin: str) -> None:
        self.pool, browser = hands
        self.origin = origin
        self.page: Page = self.do(lambda: self._open(browser))

    def _open(self, browser: Browser) -> Page:
        context = browser.new_context(
            java_script_enabled=False, color_scheme="dark", viewport={"width": 390, "height": 800}
        )
        return context.new_page()

    def do(self, act: Any) -> Any:
        return self.pool.submit(act).result(60)

    def goto(self, url: str) -> str:
        self.do(lambda: self.page.goto(self.origin + path(url)))
        return self.text()

    def text(self) -> str:
        return str(self.do(lambda: self.page.locator("main").inner_text()))

    def press(self, name: str) -> str:
        self.do(lambda: self.page.get_by_role("button", name=name, exact=True).click())
        return self.text()

    def tick(self, topic: str, channel: str, on: bool = True) -> None:
        box = self.page.get_by_role("group", name=topic).get_by_label(channel)
        self.do(lambda: box.set_checked(on))


@pytest.fixture
def reader(chromium: Hands, live_server: Any) -> Iterator[Reader]:
    found = Reader(chromium, live_server.url)
    yield found
    found.do(found.page.context.close)


@pytest.fixture
def ada() -> Profile:
    make_provider(is_default=True)
    return make_profile("ada", traits={"email": "ada@example.com"})


def mail_about(profile: Profile, topic: Any = None) -> Message:
    version = make_version(make_template(topic=topic))
    return make_message(profile, Status.SENT, template_version=version, address=profile.email)


def test_somebody_leaves_a_topic_then_everything_and_comes_back(reader: Reader, ada: Profile) -> None:
    news = make_topic()
    assert "Unsubscribe?" in reader.goto(links.unsubscribe_url(mail_about(ada, news).public_id))
    assert "gets nothing more about “Newsletter”" in reader.press("No more about “Newsletter”")
    assert gets(ada, news) == "LEFT" and not Unsubscription.objects.exists()
    assert "You are unsubscribed" in reader.press("Unsubscribe from everything")
    assert Unsubscription.objects.filter(profile=ada).exists()
    assert "Unsubscribe?" not in reader.press("That was a mistake: subscribe me again")
    assert not Unsubscription.objects.exists()


def test_somebody_chooses_on_the_preference_page(reader: Reader, ada: Profile) -> None:
    news, offers = make_topic(), make_topic("offers", joining="confirmed")
    reader.goto(links.preferences_url(mail_about(ada, news).public_id))
    reader.tick("Newsletter", "Email", on=False)
    reader.tick("Offers", "Email")
    reader.do(lambda: reader.page.get_by_label("Do not record whether").check())
    assert "Your choices are saved." in reader.press("Save")
    assert (gets(ada, news), gets(ada, offers)) == ("LEFT", "OPEN")
    assert TrackingRefusal.objects.filter(pk=ada.pk).exists()
    assert Consent.objects.get().basis == "confirmed"
    wide, seen = (
        reader.do(
            lambda: reader.page.locator("main").bounding_box()["width"]  # type: ignore[index]
        ),
        reader.do(lambda: reader.page.viewport_size["width"]),
    )  # type: ignore[index]
    assert wide <= seen


def test_somebody_confirms_a_subscription(reader: Reader, ada: Profile) -> None:
    topic = make_topic(joining="confirmed")
    consent.heed_topics({ada.pk: {"newsletter": True}})
    delivery.deliver_due(time.monotonic() + 20)
    url = next(part for part in MessageBody.objects.get().html.split('"') if "/m/d/" in part)
    assert "Would you like to get" in reader.goto(url)
    assert gets(ada, topic) == "NOT_JOINED"
    assert "Thank you" in reader.press("Yes, I confirm")
    assert gets(ada, topic) == "OPEN"


def test_a_mail_programs_post_without_cookies_unsubscribes_and_a_look_does_not(ada: Profile, live_server: Any) -> None:
    message = mail_about(ada)
    server = urlsplit(live_server.url)

    def ask(method: str, body: str = "") -> tuple[int, dict[str, str]]:
        connection = HTTPConnection(str(server.hostname), server.port)
        headers = {"Content-Type": "application/x-www-form-urlencoded"} if body else {}
        connection.request(method, path(links.unsubscribe_url(message.public_id)), body, headers)
        answer = connection.getresponse()
        answer.read()
        connection.close()
        return answer.status, dict(answer.headers)

    for method in ("GET", "HEAD"):
        assert ask(method)[0] == 200
    assert not Unsubscription.objects.exists()
    status, headers = ask("POST", "List-Unsubscribe=One-Click")
    assert status == 200 and "Location" not in headers and "Set-Cookie" not in headers
    assert Unsubscription.objects.get().method == "one_click"
