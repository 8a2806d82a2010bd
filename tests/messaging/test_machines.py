"""Opens and clicks of programs are told apart from those of people, and bounces are put into plain words."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.test import Client
from django.utils import timezone

from events.models import Event
from messaging import diagnosis, feedback, links, machines
from messaging.feedback import Report
from messaging.models import DeliveryEvent, Message
from tests.factories import make_message

FIREFOX = "Mozilla/5.0 (X11; Linux x86_64; rv:130.0) Gecko/20100101 Firefox/130.0"
GMAIL = "Mozilla/5.0 (Windows NT 5.1; rv:11.0) Gecko Firefox/11.0 (via ggpht.com GoogleImageProxy)"


@pytest.mark.parametrize(
    ("kind", "agent", "reason"),
    [
        ("opened", FIREFOX, ""),
        ("opened", GMAIL, ""),
        ("opened", "Mozilla/5.0", "apple_privacy"),
        ("clicked", "Mozilla/5.0", ""),
        ("clicked", "Barracuda Sentinel (EE)", "scanner"),
        ("clicked", "python-requests/2.31", "scanner"),
        ("opened", "Mozilla/5.0 (compatible; Googlebot/2.1)", "scanner"),
        ("opened", "", "no_name"),
        ("delivered", "curl/8", ""),
    ],
)
def test_who_it_was_is_told_by_name(kind: str, agent: str, reason: str) -> None:
    assert machines.verdict(kind, agent, own=True) == reason


def test_many_links_at_once_are_followed_by_a_program() -> None:
    assert machines.follows_all([(number / 2, f"https://a.example/{number}") for number in range(4)])
    assert not machines.follows_all([(number * 10, f"https://a.example/{number}") for number in range(9)])
    assert not machines.follows_all([(number / 9, "https://a.example/same") for number in range(9)])


def names(message: Message) -> list[str]:
    return list(Event.objects.filter(profile=message.profile_id).order_by("id").values_list("name", flat=True))


@pytest.mark.django_db
def test_a_program_that_opens_and_clicks_is_counted_apart() -> None:
    now = timezone.now()
    message = make_message(status="sent", sent_at=now - timedelta(minutes=1))
    public_id = str(message.public_id)

    def report(kind: str, agent: str, key: str, url: str = "") -> Report:
        return Report(kind, key, now, message_public_id=public_id, user_agent=agent, url=url)

    feedback.record([report("opened", "Mozilla/5.0", "a")])
    message.refresh_from_db()
    assert message.status == "delivered"
    scanner = [report("clicked", FIREFOX, f"s{n}", f"https://a.example/{n}") for n in range(4)]
    feedback.record(scanner)
    feedback.record(scanner)
    message.refresh_from_db()
    assert message.status == "delivered"
    feedback.record([report("opened", FIREFOX, "b"), report("clicked", FIREFOX, "c", "https://a.example/0")])
    message.refresh_from_db()
    assert message.status == "clicked"
    assert sorted(names(message)) == ["Email Clicked", "Email Machine Clicked"] * 1 + ["Email Machine Clicked"] * 3 + [
        "Email Machine Opened",
        "Email Opened",
    ]
    firsts = Event.objects.filter(name="Email Opened").values_list("properties__first", flat=True)
    assert list(firsts) == [True]


@pytest.mark.django_db
def test_the_provider_may_say_that_it_was_a_program() -> None:
    message = make_message(status="sent")
    raw = {"sg_machine_open": True}
    feedback.record([Report("opened", "a", timezone.now(), message_public_id=str(message.public_id), raw=raw)])
    assert DeliveryEvent.objects.get().machine == "provider_says"


@pytest.mark.django_db
def test_a_scanner_that_follows_our_own_links_counts_for_nobody(client: Client) -> None:
    message = make_message(status="sent", sent_at=timezone.now() - timedelta(hours=1))
    url = links.click_url(message.public_id, "https://shop.example/").removeprefix(links.settings.BASE_URL)
    assert client.get(url, headers={"User-Agent": "Mimecast"}).status_code == 302
    assert names(message) == ["Email Machine Clicked"]
    client.get(url, headers={"User-Agent": FIREFOX})
    assert names(message)[-1] == "Email Clicked"


@pytest.mark.parametrize(
    ("response", "reason", "begins", "code"),
    [
        (
            "550 5.1.1 The email account that you tried to reach does not exist.",
            "",
            "There is no such mailbox",
            "5.1.1",
        ),
        ("552-5.2.2 The email account is over quota", "", "The mailbox is full", "5.2.2"),
        (
            "550 5.7.26 This mail has been blocked because the sender is unauthenticated.",
            "",
            "The recipient's server",
            "5.7.26",
        ),
        ("550 5.7.1 Service unavailable; client host blocked using Spamhaus", "", "It was taken for spam", "5.7.1"),
        ("421 4.7.28 unusual rate of mail", "", "You send more", "4.7.28"),
        (
            "554 delivery error: dd This user doesn't have an account; user unknown",
            "",
            "There is no such mailbox",
            "554",
        ),
        ("550 5.7.1 not allowed", "", "The recipient's rules", "5.7.1"),
        ("", "spam", "It was taken for spam", ""),
        ("552 message size exceeds limit", "", "The mail is too big", "552"),
    ],
)
def test_what_a_server_said_is_put_into_plain_words(response: str, reason: str, begins: str, code: str) -> None:
    found = diagnosis.of(response, reason)
    assert found is not None
    assert found.words.startswith(begins)
    assert found.code == code
    assert found.advice


def test_what_says_nothing_is_left_alone() -> None:
    assert diagnosis.of("something went wrong") is None
