"""Mail through SendGrid's and Postmark's APIs: what goes over the wire, and what their errors mean."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from uuid import UUID

import pytest

from messaging import credentials
from messaging.channels import email, open_channel
from messaging.channels.base import Mail
from messaging.errors import SendError
from messaging.models import Provider
from tests.factories import make_provider
from tests.fakes import FakePostmark, FakeSendGrid, Mishap
from tests.messaging.services import postmark_provider, sendgrid_provider

pytestmark = pytest.mark.django_db
ID = UUID("5f0f2f6e-0c1d-4c3b-9a39-1f2f8a2a9d11")


def mail(address: str = "ada@example.com", **changes: object) -> Mail:
    values: dict[str, object] = {
        "public_id": ID,
        "address": address,
        "from_email": "Acme <hello@acme.example>",
        "reply_to": "help@acme.example",
        "subject": "Grüße",
        "html": "<p>Hello</p>",
        "text": "Hello",
        "headers": {"Message-ID": f"<{ID}@acme.example>", "List-Unsubscribe": "<https://acme.example/u>"},
        **changes,
    }
    return Mail(**values)  # type: ignore[arg-type]


@pytest.fixture
def sendgrid() -> Iterator[FakeSendGrid]:
    with FakeSendGrid() as fake:
        yield fake


@pytest.fixture
def postmark() -> Iterator[FakePostmark]:
    with FakePostmark() as fake:
        yield fake


def refusal(provider: Provider, letter: Mail | None = None) -> SendError:
    with pytest.raises(SendError) as caught:
        open_channel(provider).send(letter or mail())
    return caught.value


def test_sendgrid_gets_the_whole_mail(sendgrid: FakeSendGrid) -> None:
    taken_as = open_channel(sendgrid_provider(sendgrid)).send(mail())
    (call,) = sendgrid.taken
    body = call.body
    assert call.headers["authorization"] == "Bearer SG.good"
    assert body["from"] == {"email": "hello@acme.example", "name": "Acme"}
    assert body["personalizations"][0]["to"] == [{"email": "ada@example.com"}]
    assert body["reply_to_list"] == [{"email": "help@acme.example"}]
    assert body["subject"] == "Grüße"
    assert {part["type"]: part["value"] for part in body["content"]} == {
        "text/plain": "Hello",
        "text/html": "<p>Hello</p>",
    }
    assert body["headers"]["Message-ID"] == f"<{ID}@acme.example>"
    assert body["headers"]["List-Unsubscribe"] == "<https://acme.example/u>"
    assert body["custom_args"] == {"message_id": str(ID)}
    assert body["tracking_settings"] == {"click_tracking": {"enable": True}, "open_tracking": {"enable": True}}
    assert taken_as == body["personalizations"][0]["custom_args"]["anymail_id"]


def test_postmark_gets_the_whole_mail(postmark: FakePostmark) -> None:
    provider = postmark_provider(postmark, settings={"message_stream": "broadcast"})
    taken_as = open_channel(provider).send(mail())
    (call,) = postmark.taken
    body = call.body
    assert call.headers["x-postmark-server-token"] == "good"
    assert (body["From"], body["To"]) == ("Acme <hello@acme.example>", "ada@example.com")
    assert (body["TextBody"], body["HtmlBody"]) == ("Hello", "<p>Hello</p>")
    assert body["MessageStream"] == "broadcast"
    assert body["Metadata"] == {"message_id": str(ID)}
    assert body["TrackOpens"] is True
    headers = {header["Name"]: header["Value"] for header in body["Headers"]}
    assert headers["Message-ID"] == f"<{ID}@acme.example>"
    assert headers["X-PM-KeepID"] == "true"
    assert UUID(taken_as)


def test_one_connection_serves_many_mails(sendgrid: FakeSendGrid) -> None:
    channel = open_channel(sendgrid_provider(sendgrid))
    for _ in range(5):
        channel.send(mail())
    assert len({call.connection for call in sendgrid.calls}) == 1


def test_a_mail_of_text_alone_has_no_html_part(sendgrid: FakeSendGrid) -> None:
    open_channel(sendgrid_provider(sendgrid)).send(mail(html=""))
    assert [part["type"] for part in sendgrid.taken[0].body["content"]] == ["text/plain"]


@pytest.mark.parametrize("status", [400, 413, 422])
def test_a_refusal_is_permanent(sendgrid: FakeSendGrid, status: int) -> None:
    sendgrid.mishaps.append(Mishap(status, {"errors": [{"message": "The from address is not verified"}]}))
    error = refusal(sendgrid_provider(sendgrid))
    assert (error.permanent, error.outcome_unknown) == (True, False)
    assert "The from address is not verified" in str(error)


@pytest.mark.parametrize("status", [401, 403, 408, 429, 500, 502, 503])
def test_trouble_of_the_service_or_the_account_is_for_later(sendgrid: FakeSendGrid, status: int) -> None:
    sendgrid.mishaps.append(Mishap(status, {"errors": [{"message": "too many requests"}]}))
    error = refusal(sendgrid_provider(sendgrid))
    assert (error.permanent, error.outcome_unknown) == (False, False)


def test_a_wrong_key_is_for_later_and_not_repeated_in_the_error(sendgrid: FakeSendGrid) -> None:
    error = refusal(sendgrid_provider(sendgrid, key="SG.wrong"))
    assert (error.permanent, error.outcome_unknown) == (False, False)
    assert "SG.wrong" not in str(error)


def test_an_inactive_recipient_is_permanent(postmark: FakePostmark) -> None:
    error = refusal(postmark_provider(postmark), mail("inactive@example.com"))
    assert error.permanent
    assert "marked as inactive" in str(error)


def test_no_connection_means_that_nothing_is_out() -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{unused.getsockname()[1]}/"
        provider = make_provider(kind="sendgrid", settings={"api_url": url})
        credentials.store(provider, {"api_key": "x"})
        error = refusal(provider)
    assert (error.permanent, error.outcome_unknown) == (False, False)


def test_an_unknown_host_means_that_nothing_is_out(sendgrid: FakeSendGrid) -> None:
    provider = sendgrid_provider(sendgrid)
    provider.settings = {"api_url": "http://api.sendgrid.invalid/v3/"}
    error = refusal(provider)
    assert (error.permanent, error.outcome_unknown) == (False, False)


def test_silence_after_the_request_leaves_the_outcome_unknown(
    sendgrid: FakeSendGrid, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(email, "TIMEOUT", (1.0, 0.2))
    sendgrid.mishaps.append(Mishap(seconds=1.0, takes=True))
    error = refusal(sendgrid_provider(sendgrid))
    assert (error.permanent, error.outcome_unknown) == (False, True)


def test_a_connection_that_breaks_after_the_request_leaves_the_outcome_unknown(sendgrid: FakeSendGrid) -> None:
    sendgrid.mishaps.append(Mishap(hang_up=True, takes=True))
    error = refusal(sendgrid_provider(sendgrid))
    assert (error.permanent, error.outcome_unknown) == (False, True)
    assert sendgrid.message_ids() == [str(ID)]


def test_an_answer_that_makes_no_sense_leaves_the_outcome_unknown(postmark: FakePostmark) -> None:
    postmark.mishaps.append(Mishap(status=200, body={"hello": "world"}, takes=True))
    error = refusal(postmark_provider(postmark))
    assert (error.permanent, error.outcome_unknown) == (False, True)


def test_header_injection_is_refused(sendgrid: FakeSendGrid) -> None:
    error = refusal(sendgrid_provider(sendgrid), mail(from_email="hello@acme.example\nBcc: all@example.com"))
    assert error.permanent
    assert sendgrid.taken == []


def test_missing_credentials_are_for_later(sendgrid: FakeSendGrid) -> None:
    provider = make_provider(kind="sendgrid", settings={"api_url": sendgrid.url})
    error = refusal(provider)
    assert not error.permanent
    assert "has no api_key" in str(error)
