"""Email over SMTP. The connection is kept between mails, and one that was lost while idle is made anew."""

from __future__ import annotations

import smtplib
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Any

from django.core.mail.backends.smtp import EmailBackend

from messaging import deadlines
from messaging.channels.base import Mail
from messaging.channels.email import Options, compose, open_backend
from messaging.errors import SendError
from messaging.models import Provider
from messaging.outward import MAX_DETAIL

TIMEOUT = 20
DEFAULT_PORTS = {"tls": 465, "starttls": 587, "none": 25}
CLOSING = 421


class _Stage(smtplib.SMTP):
    """Remembers whether the mail itself is on its way: what breaks then may have been taken."""

    in_data = False

    def mail(self, sender: str, options: Sequence[str] = ()) -> tuple[int, bytes]:
        self.in_data = False
        return super().mail(sender, options)

    def data(self, msg: Any) -> tuple[int, bytes]:
        self.in_data = True
        return super().data(msg)


class _TlsStage(_Stage, smtplib.SMTP_SSL):
    pass


class _Backend(EmailBackend):
    @property
    def connection_class(self) -> type[smtplib.SMTP]:
        return _TlsStage if self.use_ssl else _Stage


def backend(options: Options, secrets: Mapping[str, str]) -> EmailBackend:
    """Build Django's SMTP backend. ``settings`` holds host, port and security (starttls, tls or none)."""
    security = options.get("security") or "starttls"
    return _Backend(
        host=options["host"],
        port=int(options.get("port") or DEFAULT_PORTS.get(security, 587)),
        username=secrets.get("username", ""),
        password=secrets.get("password", ""),
        use_tls=security == "starttls",
        use_ssl=security == "tls",
        timeout=TIMEOUT,
    )


class Smtp:
    """An SMTP server. It tracks nothing, so the mail's own links and pixel do."""

    def __init__(self, provider: Provider) -> None:
        made = open_backend(provider, backend)
        assert isinstance(made, EmailBackend)
        self.backend = made

    def send(self, mail: Mail) -> str:
        message = compose(mail, {})
        while True:
            fresh = self._open()
            if self.backend.connection is not None:
                deadlines.note(self.backend.connection)
            try:
                self.backend.send_messages([message])
            except (OSError, ValueError) as error:
                problem = fault(error, in_data=bool(getattr(self.backend.connection, "in_data", False)))
                if _is_lost(error) or problem.outcome_unknown:
                    self._drop()
                if fresh or problem.outcome_unknown or not _is_lost(error):
                    raise problem from error
            else:
                return mail.headers.get("Message-ID", "")

    def close(self) -> None:
        with suppress(OSError):
            self.backend.close()

    def _open(self) -> bool:
        """Connect unless connected; return whether a new connection was made. Raises SendError."""
        try:
            return bool(self.backend.open())
        except OSError as error:
            raise fault(error, in_data=False) from error

    def _drop(self) -> None:
        """Forget a connection that is of no more use, without the good-bye that might hang."""
        connection, self.backend.connection = self.backend.connection, None
        if connection is not None:
            with suppress(OSError):
                connection.close()


def fault(error: Exception, *, in_data: bool) -> SendError:
    """Say what an SMTP error means: 5xx is final, everything else is for later."""
    code, text = _answer(error)
    if code:
        return SendError(f"{code} {text}"[:MAX_DETAIL], permanent=code >= 500)
    lost = isinstance(error, smtplib.SMTPServerDisconnected) or not isinstance(error, smtplib.SMTPException)
    permanent = isinstance(error, ValueError | smtplib.SMTPNotSupportedError)
    words = text or type(error).__name__
    return SendError(words[:MAX_DETAIL], permanent=permanent, outcome_unknown=in_data and lost and not permanent)


def _answer(error: Exception) -> tuple[int, str]:
    """Return the server's code and words; (0, text) when it did not answer."""
    if isinstance(error, smtplib.SMTPRecipientsRefused):
        code, words = next(iter(error.recipients.values()))
        return code, _text(words)
    if isinstance(error, smtplib.SMTPResponseException) and error.smtp_code > 0:
        return error.smtp_code, _text(error.smtp_error)
    return 0, str(error)


def _text(words: bytes | str) -> str:
    return words.decode(errors="replace") if isinstance(words, bytes) else words


def _is_lost(error: Exception) -> bool:
    """Return whether the connection is gone: the server hung up, said that it will, or is silent."""
    if isinstance(error, smtplib.SMTPResponseException | smtplib.SMTPRecipientsRefused):
        return _answer(error)[0] == CLOSING
    return isinstance(error, smtplib.SMTPServerDisconnected) or not isinstance(
        error, smtplib.SMTPException | ValueError
    )
