"""Mail over SMTP: the mail itself, the connection, and what the server's answers mean."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from uuid import UUID

import pytest

from messaging.channels import open_channel
from messaging.channels.base import Channel, Mail
from messaging.errors import SendError
from messaging.models import Provider
from tests.fakes import KEY, Smtp, smtp
from tests.messaging.services import smtp_provider

pytestmark = pytest.mark.django_db
ID = UUID("5f0f2f6e-0c1d-4c3b-9a39-1f2f8a2a9d11")


@pytest.fixture
def server() -> Iterator[Smtp]:
    with smtp() as fake:
        yield fake


def mail(address: str = "ada@example.com") -> Mail:
    return Mail(
        public_id=ID,
        address=address,
        from_email="Acme <hello@acme.example>",
        reply_to="",
        subject="Grüße",
        html="<p>Hello</p>",
        text="Hello",
        headers={"Message-ID": f"<{ID}@acme.example>", "List-Unsubscribe-Post": "List-Unsubscribe=One-Click"},
    )


def refusal(channel: Channel, letter: Mail | None = None) -> SendError:
    with pytest.raises(SendError) as caught:
        channel.send(letter or mail())
    return caught.value


def test_sends_text_and_html_with_our_headers(server: Smtp) -> None:
    taken_as = open_channel(smtp_provider(server)).send(mail())
    (received,) = server.mails
    assert received["Subject"] == "Grüße"
    assert received["Message-ID"] == taken_as == f"<{ID}@acme.example>"
    assert received["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
    assert [part.get_content_type() for part in received.iter_parts()] == ["text/plain", "text/html"]
    assert server.recipients == ["ada@example.com"]


def test_one_connection_serves_many_mails(server: Smtp) -> None:
    channel = open_channel(smtp_provider(server))
    for _ in range(3):
        channel.send(mail())
    assert (len(server.mails), server.connections) == (3, 1)


def test_a_connection_lost_while_idle_is_made_anew(server: Smtp) -> None:
    channel = open_channel(smtp_provider(server))
    channel.send(mail())
    server.drop_connections()
    channel.send(mail())
    assert (len(server.mails), server.connections) == (2, 2)


def test_logs_in_where_that_is_asked_for() -> None:
    with smtp(log_in=True) as server:
        open_channel(smtp_provider(server, {"username": "ada", "password": KEY})).send(mail())
        assert server.logins == [("ada", KEY)]
        assert len(server.mails) == 1
        error = refusal(open_channel(smtp_provider(server, {"username": "ada", "password": "no"})))
        assert error.permanent
        assert str(error).startswith("535")


def test_a_mailbox_that_does_not_exist_is_permanent(server: Smtp) -> None:
    channel = open_channel(smtp_provider(server))
    error = refusal(channel, mail("nobody@example.com"))
    assert (error.permanent, str(error)) == (True, "550 5.1.1 No such mailbox")
    channel.send(mail())
    assert server.connections == 1


def test_a_full_mailbox_is_for_later(server: Smtp) -> None:
    error = refusal(open_channel(smtp_provider(server)), mail("full@example.com"))
    assert (error.permanent, error.outcome_unknown) == (False, False)


@pytest.mark.parametrize(("answer", "permanent"), [("451 Greylisted", False), ("554 Spam", True)])
def test_the_answer_to_the_mail_itself_decides(server: Smtp, answer: str, permanent: bool) -> None:
    server.answers.append(answer)
    channel = open_channel(smtp_provider(server))
    error = refusal(channel)
    assert (error.permanent, error.outcome_unknown, str(error)) == (permanent, False, answer)
    channel.send(mail())
    assert len(server.mails) == 1


def test_a_connection_that_breaks_after_the_mail_leaves_the_outcome_unknown(server: Smtp) -> None:
    server.answers.append("")
    channel = open_channel(smtp_provider(server))
    error = refusal(channel)
    assert (error.permanent, error.outcome_unknown) == (False, True)
    assert len(server.mails) == 1
    channel.send(mail())
    assert len(server.mails) == 2


def test_no_connection_means_that_nothing_is_out() -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        error = refusal(open_channel(smtp_provider(Smtp(port=unused.getsockname()[1]))))
    assert (error.permanent, error.outcome_unknown) == (False, False)


@pytest.mark.parametrize("options", [{}, {"host": "127.0.0.1", "port": "many"}])
def test_settings_that_do_not_suffice_are_for_later(options: dict[str, str]) -> None:
    with pytest.raises(SendError) as caught:
        open_channel(Provider(name="Relay", kind=Provider.Kind.SMTP, settings=options))
    assert not caught.value.permanent
