"""Email through a service's HTTP API, by way of django-anymail. One class for all of them."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from anymail.exceptions import (
    AnymailConfigurationError,
    AnymailError,
    AnymailImproperlyInstalled,
    AnymailNotSupportedWarning,
    AnymailRecipientsRefused,
    AnymailRequestsAPIError,
)
from django.core.mail import EmailMultiAlternatives
from django.core.mail.backends.base import BaseEmailBackend
from django.utils.module_loading import import_string
from requests import RequestException

from messaging import credentials
from messaging.channels.base import Mail
from messaging.channels.quick import QuickSession
from messaging.errors import CredentialsError, SendError
from messaging.kinds import KINDS
from messaging.models import Provider
from messaging.outward import MAX_DETAIL, TIMEOUT, retry_after, unanswered

# A refused key or account (401, 403) is put right by the operator, not by losing what waits to be sent.
TRY_LATER = {401, 403, 408, 429}

# The backend works, and our tests hold its requests and webhooks; the warning would come with every connection.
warnings.filterwarnings("ignore", category=AnymailNotSupportedWarning)

Options = Mapping[str, Any]
Secrets = Mapping[str, str]


def _sendgrid(options: Options, secrets: Secrets) -> dict[str, Any]:
    return {"api_key": secrets["api_key"]}


def _postmark(options: Options, secrets: Secrets) -> dict[str, Any]:
    return {"server_token": secrets["server_token"], "message_stream": options.get("message_stream") or None}


def _amazon_ses(options: Options, secrets: Secrets) -> dict[str, Any]:
    return {
        "client_params": {
            "aws_access_key_id": secrets["access_key_id"],
            "aws_secret_access_key": secrets["secret_access_key"],
            "region_name": options["region"],
        }
    }


def _named_alike(options: Options, secrets: Secrets) -> dict[str, Any]:
    """Return the settings of a service where ours are called as django-anymail calls them."""
    known = {name: value for name, value in options.items() if value and name not in ("api_url", "webhook_key")}
    return {**secrets, **known}


@dataclass(frozen=True, slots=True)
class _Service:
    """How a service differs from the others: its settings, and headers that every mail bears."""

    settings: Callable[[Options, Secrets], dict[str, Any]] = _named_alike
    headers: Mapping[str, str] = field(default_factory=dict)


SERVICES: dict[str, _Service] = {
    "sendgrid": _Service(_sendgrid),
    # Without the header Postmark would put a Message-ID of its own in place of ours.
    "postmark": _Service(_postmark, {"X-PM-KeepID": "true"}),
    "amazon_ses": _Service(_amazon_ses),
}


class Service:
    """An account at a service that tracks opens and clicks itself. The connection is kept between mails."""

    def __init__(self, provider: Provider) -> None:
        self.kind, self.service = KINDS[provider.kind], SERVICES.get(provider.kind, _Service())
        self.backend = open_backend(provider, partial(self._backend, provider.kind))
        self.backend.open()
        read_environment_once(self.backend)

    def send(self, mail: Mail) -> str:
        message = self.message(mail)
        if self.kind.takes_once:
            self.backend.session.headers["Idempotency-Key"] = str(mail.public_id)  # type: ignore[attr-defined]
        try:
            self.backend.send_messages([message])
        except (AnymailError, RequestException, ValueError) as error:
            raise fault(error) from error
        return message.anymail_status.message_id or ""

    def message(self, mail: Mail) -> Any:
        """Return the Django mail with all that the service is to know of it."""
        message = compose(mail, self.service.headers)
        if self.kind.echoes:
            # So that a report finds its message whatever became of the answer to this call.
            message.metadata = {"message_id": str(mail.public_id)}
        if self.kind.tracks and self.kind.switches:
            message.track_opens = message.track_clicks = mail.tracked
        return message

    def close(self) -> None:
        self.backend.close()

    def _backend(self, kind: str, options: Options, secrets: Secrets) -> BaseEmailBackend:
        given = self.service.settings(options, secrets)
        if options.get("api_url"):
            given["api_url"] = options["api_url"]
        if kind != "amazon_ses":
            given["timeout"] = TIMEOUT
        made: BaseEmailBackend = import_string(f"anymail.backends.{kind}.EmailBackend")(**given)
        return made


def open_backend(
    provider: Provider, backend: Callable[[Options, Mapping[str, str]], BaseEmailBackend]
) -> BaseEmailBackend:
    """Build a mail backend from the provider's row. Raises SendError, not permanent: rows can be put right."""
    try:
        return backend(provider.settings, credentials.reveal(provider))
    except CredentialsError as error:
        raise SendError(str(error), permanent=False) from error
    except KeyError as error:
        raise SendError(f"The provider “{provider}” has no {error.args[0]}.", permanent=False) from error
    except AnymailImproperlyInstalled as error:
        text = f"“{provider}” needs a package that is not installed: pip install 'cuebird[ses]'."
        raise SendError(text, permanent=False) from error
    except (AnymailConfigurationError, TypeError, ValueError) as error:
        raise SendError(f"The settings of “{provider}” are not valid: {error}", permanent=False) from error


def read_environment_once(backend: BaseEmailBackend) -> None:
    """Give a backend a quick session, which keeps what the environment says of proxies and certificates.

    By itself it would go through the environment anew for each mail, which costs as much as the rest of the request.
    """
    session, url = getattr(backend, "session", None), getattr(backend, "api_url", "")
    if session is None:
        return
    found = session.merge_environment_settings(url, {}, None, None, None)
    session.proxies, session.verify, session.cert = found["proxies"], found["verify"], found["cert"]
    session.trust_env = False
    backend.session = QuickSession(session)  # type: ignore[attr-defined]


def compose(mail: Mail, headers: Mapping[str, str]) -> Any:
    """Return the Django mail: text with HTML beside it, or one of them alone."""
    message = EmailMultiAlternatives(
        subject=mail.subject,
        body=mail.text,
        from_email=mail.from_email,
        to=[mail.address],
        reply_to=[mail.reply_to] if mail.reply_to else None,
        headers={**mail.headers, **headers},
    )
    if mail.html:
        message.attach_alternative(mail.html, "text/html")
    return message


def fault(error: Exception) -> SendError:
    """Say what an error of anymail means: try again, or not, or nobody knows whether the mail is out."""
    text = (_words_of_refusal(error) or str(error).strip() or type(error).__name__)[:MAX_DETAIL]
    if isinstance(error, RequestException) and getattr(error, "status_code", None) is None:
        return unanswered(error)
    if isinstance(error, AnymailRequestsAPIError):
        code = error.status_code
        # Accepted, but the answer makes no sense: it may well be out.
        unknown = 200 <= code < 300
        later = unknown or code in TRY_LATER or code >= 500
        after = retry_after(error.response) if error.response is not None else 0.0
        return SendError(text, permanent=not later, outcome_unknown=unknown, after=after)
    return SendError(text, permanent=True)


def _words_of_refusal(error: Exception) -> str:
    """Return why a service refuses all recipients, which anymail's own message does not say."""
    answer = getattr(error, "response", None)
    if not isinstance(error, AnymailRecipientsRefused) or answer is None:
        return ""
    try:
        return str(answer.json()["Message"])
    except (KeyError, TypeError, ValueError):
        return str(answer.text)
