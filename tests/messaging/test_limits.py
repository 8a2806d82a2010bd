"""Send mode: what is held stays, what is redirected reaches the test address alone, by whatever way it came."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import time_machine
from django.contrib.auth.models import User
from django.test import Client
from django.utils import timezone

from events.audit import Actor
from events.models import AuditEntry, Event, Profile
from messaging import claims, composing, consent, delivery, exports, feedback, limits, links, outbox, preview
from messaging.admin import provider_panel
from messaging.errors import SendError
from messaging.models import Message, MessageBody, SendingLimits, Unsubscription
from messaging.states import Status
from tests.campaigns.flow import happens, make_campaign, settle
from tests.factories import make_message, make_profile, make_provider, make_template
from tests.fakes import FakeSendGrid
from tests.messaging.services import sendgrid_provider
from tests.messaging.test_admin_messages import viewer

pytestmark = pytest.mark.django_db
TESTER = "tester@acme.example"


@pytest.fixture
def sendgrid() -> Iterator[FakeSendGrid]:
    with FakeSendGrid() as fake:
        yield fake


@pytest.fixture
def ada() -> Profile:
    return make_profile(traits={"email": "ada@example.com", "first_name": "Ada"})


def choose(mode: str, **changes: Any) -> None:
    limits.choose({"mode": mode, **changes}, Actor("tests"))


def redirect() -> None:
    choose("redirect", redirect_to=TESTER)


def deliver() -> int:
    return delivery.deliver_due(time.monotonic() + 20)


def delivered(message: Message) -> Message:
    deliver()
    message.refresh_from_db()
    return message


# Every way by which a message comes to be sent.


def by_a_campaign(ada: Profile) -> None:
    make_campaign()
    happens(ada)
    settle()


def by_a_test(ada: Profile) -> None:
    preview.send_test(make_template(), ada, None, "author@acme.example", User(username="author"))


def by_sending_again(ada: Profile) -> None:
    outbox.requeue(make_message(ada, status=Status.UNKNOWN, called_at=timezone.now()))


def by_another_try(ada: Profile) -> None:
    make_message(ada, attempts=2, detail="The provider had a cold.")


def by_recovery(ada: Profile) -> None:
    make_message(ada, status=Status.SENDING, lease_until=timezone.now() - timedelta(seconds=1), attempts=1)
    delivery.recover(timezone.now())


def as_a_receipt(ada: Profile) -> None:
    make_message(ada, purpose="transactional")


WAYS = [by_a_campaign, by_a_test, by_sending_again, by_another_try, by_recovery, as_a_receipt]


@pytest.mark.parametrize("way", WAYS)
def test_a_redirect_reaches_the_test_address_alone(
    ada: Profile, sendgrid: FakeSendGrid, way: Callable[[Profile], None]
) -> None:
    sendgrid_provider(sendgrid, name="Mailbox", is_default=True)
    redirect()
    way(ada)
    deliver()
    (taken,) = sendgrid.taken
    (envelope,) = taken.body["personalizations"]
    assert [to["email"] for to in envelope["to"]] == [TESTER]
    assert not {"cc", "bcc"} & envelope.keys()
    message = Message.objects.get()
    meant = "author@acme.example" if way is by_a_test else "ada@example.com"
    assert (message.status, message.address, message.redirected) == (Status.SENT, TESTER, True)
    assert message.subject.startswith(f"[for {meant}] ")
    assert MessageBody.objects.get().headers[composing.RECIPIENT] == meant


@pytest.mark.parametrize("way", WAYS)
def test_a_hold_keeps_everything_until_it_ends_and_then_each_goes_once(
    ada: Profile, sendgrid: FakeSendGrid, way: Callable[[Profile], None]
) -> None:
    sendgrid_provider(sendgrid, name="Mailbox", is_default=True)
    choose("hold")
    way(ada)
    assert deliver() == 0
    assert sendgrid.calls == []
    assert Message.objects.get().status == Status.QUEUED
    choose("normal")
    assert deliver() == 1
    assert len(sendgrid.taken) == 1


def test_a_providers_trial_mail_follows_the_mode(sendgrid: FakeSendGrid) -> None:
    """It is the one mail that is no message: it goes to the provider at once."""
    provider = sendgrid_provider(sendgrid)
    choose("hold")
    with pytest.raises(SendError, match="Everything is held"):
        provider_panel.trial(provider, "author@acme.example")
    assert sendgrid.calls == []
    redirect()
    provider_panel.trial(provider, "author@acme.example")
    (taken,) = sendgrid.taken
    assert taken.body["personalizations"][0]["to"] == [{"email": TESTER}]
    assert taken.body["subject"].startswith("[for author@acme.example] ")


def test_there_is_no_other_way_out() -> None:
    """The ways above end at these places: whoever hands mail over elsewhere has to look at the send mode as well."""
    root = Path(limits.__file__).parents[1]
    hands_over = re.compile(r"\bopen_channel\(|\bhand_over\(|\bsend_mail\(|\.send_messages?\(")
    found = {
        str(path.relative_to(root))
        for room in ("events", "messaging", "campaigns", "config")
        for path in (root / room).rglob("*.py")
        if hands_over.search(path.read_text())
    }
    channels = {f"messaging/channels/{name}.py" for name in ("__init__", "email", "smtp")}
    # Mails to operators are no messages.
    operators = "campaigns/alerts.py"
    trial = "messaging/admin/provider_panel.py"
    assert found == {"messaging/sending.py", "messaging/delivery.py", trial, operators, *channels}


def test_a_hold_ends_by_itself(ada: Profile) -> None:
    make_provider(is_default=True)
    choose("hold", hold_until=timezone.now() + timedelta(hours=1))
    make_message(ada)
    assert deliver() == 0
    with time_machine.travel(timezone.now() + timedelta(hours=1, seconds=1)):
        assert deliver() == 1


@pytest.mark.parametrize(("mode", "goes"), [("hold", 0), ("redirect", 1)])
def test_what_is_chosen_between_the_claim_and_the_call_counts(
    ada: Profile, sendgrid: FakeSendGrid, monkeypatch: pytest.MonkeyPatch, mode: str, goes: int
) -> None:
    make_message(ada, provider=sendgrid_provider(sendgrid))
    call = claims.call

    def call_late(*args: Any) -> set[int]:
        choose(mode, redirect_to=TESTER)
        return call(*args)

    monkeypatch.setattr(claims, "call", call_late)
    deliver()
    assert [one.body["personalizations"][0]["to"][0]["email"] for one in sendgrid.taken] == [TESTER] * goes
    if mode == "hold":
        message = Message.objects.get()
        assert (message.status, message.attempts) == (Status.QUEUED, 0)


def test_what_was_redirected_is_nobodys_history_and_unsubscribes_nobody(ada: Profile, client: Client) -> None:
    make_provider(is_default=True)
    redirect()
    message = delivered(make_message(ada))
    assert message.status == Status.DELIVERED
    now = timezone.now()
    said = [
        feedback.Report(kind, kind, now, message_public_id=str(message.public_id))
        for kind in ("opened", "unsubscribed")
    ]
    feedback.record(said)
    address = links.unsubscribe_url(message.public_id).partition("/m/")[2]
    client.post(f"/m/{address}", {"List-Unsubscribe": "One-Click"})
    consent.unsubscribe(ada.pk, "page", message)
    assert not Unsubscription.objects.exists()
    assert not Event.objects.filter(profile=ada).exists()
    period = exports.Period(now - timedelta(days=1), now + timedelta(days=1))
    assert list(exports.messages(period)) == []


def test_after_a_redirect_mail_goes_to_people_again(ada: Profile, sendgrid: FakeSendGrid) -> None:
    provider = sendgrid_provider(sendgrid)
    redirect()
    delivered(make_message(ada, provider=provider))
    choose("normal")
    message = delivered(make_message(ada, provider=provider))
    assert (message.address, message.redirected, message.subject) == ("ada@example.com", False, "Hello Ada")


def test_a_test_address_that_is_struck_off_holds_up_nobody(ada: Profile, sendgrid: FakeSendGrid) -> None:
    redirect()
    consent.suppress(TESTER)
    message = delivered(make_message(ada, provider=sendgrid_provider(sendgrid)))
    assert (message.status, message.reason) == (Status.SKIPPED, "suppressed")


def test_who_gets_nothing_gets_nothing_redirected_either(ada: Profile, sendgrid: FakeSendGrid) -> None:
    redirect()
    consent.unsubscribe(ada.pk, "manual")
    message = delivered(make_message(ada, provider=sendgrid_provider(sendgrid)))
    assert (message.status, message.reason) == (Status.SKIPPED, "unsubscribed")


PAGE = "/admin/messaging/sendinglimits/"


def text_of(client: Client, url: str) -> str:
    response = client.get(url)
    assert response.status_code == 200
    return response.content.decode()


def test_every_page_of_the_console_says_that_nothing_goes_out(admin_client: Client) -> None:
    message = make_message()
    pages = ["/admin/", PAGE, "/admin/messaging/message/", f"/admin/messaging/message/{message.pk}/change/"]
    pages += ["/admin/campaigns/campaign/", "/admin/events/event/", "/admin/auth/user/add/", "/admin/events/keepfor/"]
    assert not [url for url in pages if "sending-banner" in text_of(admin_client, url)]
    choose("hold")
    words = "Everything is held: nothing goes out until sending is set back to normal."
    assert [url for url in pages if words not in text_of(admin_client, url)] == []
    redirect()
    assert f"Every message goes to {TESTER} and to nobody else" in text_of(admin_client, "/admin/")


def test_who_is_not_logged_in_reads_nothing_of_it(client: Client) -> None:
    choose("hold")
    assert "Everything is held" not in text_of(client, "/admin/login/")


def test_the_mode_is_chosen_and_the_choice_is_on_record(admin_client: Client) -> None:
    said = {
        "mode": "hold",
        "redirect_to": "",
        "hold_until": "",
        "quiet_spares_transactional": "on",
        "consent": "everybody",
    }
    assert admin_client.post(PAGE, said).status_code == 302
    assert SendingLimits.current().holds(timezone.now())
    text = text_of(admin_client, PAGE)
    assert "admin: Mode: Hold." in text
    assert "Set by admin" in text
    assert AuditEntry.objects.get(action="limits").details == {"mode": "hold"}


@pytest.mark.parametrize(
    ("said", "words"),
    [
        ({"mode": "redirect", "redirect_to": ""}, "Write the one address"),
        ({"mode": "redirect", "redirect_to": "a@b.example, c@d.example"}, "redirect_to_error"),
        ({"mode": "hold", "hold_until": "2020-01-01T10:00"}, "This moment has passed"),
        ({"mode": "never"}, "Select a valid choice"),
    ],
)
def test_what_cannot_be_is_refused_at_its_field(admin_client: Client, said: dict[str, str], words: str) -> None:
    answer = admin_client.post(PAGE, said)
    assert answer.status_code == 200
    assert words in answer.content.decode()
    assert not SendingLimits.objects.exists()


def test_who_may_only_look_changes_nothing() -> None:
    client = viewer("view_sendinglimits")
    assert "Save</button>" not in text_of(client, PAGE)
    assert client.post(PAGE, {"mode": "hold"}).status_code == 403
    assert not SendingLimits.objects.exists()
