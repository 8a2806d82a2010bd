"""Ask a provider whether it would take our mail, and say in clear words what to do if not. Nothing is sent."""

from __future__ import annotations

import smtplib
import ssl
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any
from urllib.parse import urljoin

import requests
from django.core.mail.backends.smtp import EmailBackend
from django.utils import timezone
from django.utils.module_loading import import_string

from messaging import credentials
from messaging.channels import smtp
from messaging.errors import CredentialsError, SendError
from messaging.kinds import KINDS
from messaging.models import Provider

TIMEOUT = 5.0
SENDGRID = "https://api.sendgrid.com/v3/"
POSTMARK = "https://api.postmarkapp.com/"

Secrets = Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Check:
    """Whether a provider can be used, and what to tell whoever set it up."""

    ok: bool
    message: str


def check(provider: Provider) -> Check:
    """Try the provider's settings and credentials, and store what came of it. Takes seconds at most."""
    try:
        lacking = credentials.missing(provider)
        result = (
            Check(False, f"Enter the {lacking[0]} first.") if lacking else _ask(provider, credentials.reveal(provider))
        )
    except CredentialsError as error:
        result = Check(False, str(error))
    provider.checked_at = timezone.now()
    provider.check_ok = result.ok
    provider.check_message = result.message
    provider.save(update_fields=["checked_at", "check_ok", "check_message"])
    return result


def _ask(provider: Provider, secrets: Secrets) -> Check:
    asked: Check = import_string(KINDS[provider.kind].checks)(provider, secrets)
    return asked


def opens(provider: Provider, secrets: Secrets) -> Check:
    """See whether the settings are complete, for kinds that cannot be asked without sending something."""
    kind = KINDS[provider.kind]
    lacking = [name for name in kind.needs if not provider.settings.get(name)]
    if lacking:
        return Check(False, f"Enter the {lacking[0].replace('_', ' ')} first.")
    try:
        import_string(kind.opens)(provider).close()
    except SendError as error:
        return Check(False, str(error))
    return Check(True, "The settings are complete. Send a test to see whether they are accepted.")


def mailbox(provider: Provider, secrets: Secrets) -> Check:
    return Check(True, "Ready: mail stays on this machine and can be read on the Mailbox page.")


def sendgrid(provider: Provider, secrets: Secrets) -> Check:
    answer = _get(provider, SENDGRID, "scopes", {"Authorization": f"Bearer {secrets['api_key']}"})
    if isinstance(answer, Check):
        return answer
    if answer.status_code in (401, 403):
        return Check(False, "SendGrid does not accept the API key. Make a new one under Settings → API Keys.")
    scopes = json_of(answer).get("scopes") if answer.ok else None
    if not isinstance(scopes, list):
        return _strange("SendGrid", answer)
    if "mail.send" not in scopes:
        return Check(False, "The API key may not send mail: give it the “Mail Send” permission at SendGrid.")
    return Check(True, "SendGrid accepts the API key, and it may send mail.")


def postmark(provider: Provider, secrets: Secrets) -> Check:
    headers = {"X-Postmark-Server-Token": secrets["server_token"], "Accept": "application/json"}
    answer = _get(provider, POSTMARK, "server", headers)
    if isinstance(answer, Check):
        return answer
    if answer.status_code in (401, 403):
        return Check(
            False, "Postmark does not accept the token. Copy the server's API token (not the account's) from its page."
        )
    name = json_of(answer).get("Name") if answer.ok else None
    if name is None:
        return _strange("Postmark", answer)
    return Check(True, f"Postmark accepts the token of the server “{name}”.")


def smtp_server(provider: Provider, secrets: Secrets) -> Check:
    host = str(provider.settings.get("host") or "")
    if not host:
        return Check(False, "Enter the host name of the SMTP server first.")
    try:
        backend = smtp.backend(provider.settings, secrets)
        backend.timeout = int(TIMEOUT)
        _connect(backend)
    except (OSError, ValueError) as error:
        return Check(False, _explain(error, host))
    return Check(
        True, f"{host} answers" + (" and accepts the log-in." if backend.username else "; it asks for no log-in.")
    )


def _connect(backend: EmailBackend) -> None:
    try:
        backend.open()
    finally:
        with suppress(OSError):
            backend.close()


def _explain(error: Exception, host: str) -> str:
    """Say what an SMTP or network error means for whoever set the server up."""
    if isinstance(error, smtplib.SMTPAuthenticationError):
        return f"{host} does not accept user name and password: {_words(error.smtp_error)}"
    if isinstance(error, smtplib.SMTPNotSupportedError):
        return f"{host} does not offer this: {error}. Choose another kind of security, or leave the user name out."
    if isinstance(error, ssl.SSLError):
        return f"No secure connection to {host}: {error}. Port 465 wants TLS from the start, port 587 STARTTLS."
    if isinstance(error, TimeoutError):
        return f"{host} did not answer within {TIMEOUT:.0f} s: see host, port and firewall."
    return f"No connection to {host}: {error}. See host and port."


def _words(answer: bytes | str) -> str:
    return answer.decode(errors="replace") if isinstance(answer, bytes) else answer


def _get(provider: Provider, default: str, path: str, headers: Mapping[str, str]) -> requests.Response | Check:
    base = str(provider.settings.get("api_url") or default)
    url = urljoin(base if base.endswith("/") else f"{base}/", path)
    try:
        return requests.get(url, headers=dict(headers), timeout=TIMEOUT)
    except requests.Timeout:
        return Check(False, f"No answer from {url} within {TIMEOUT:.0f} s. Is the way out to the internet open?")
    except (requests.RequestException, ValueError) as error:
        return Check(False, f"No connection to {url}: {error}")


def json_of(answer: requests.Response) -> dict[str, Any]:
    """Return the JSON object that was answered, an empty one where it is none."""
    try:
        body = answer.json()
    except ValueError:
        return {}
    return body if isinstance(body, dict) else {}


def _strange(name: str, answer: requests.Response) -> Check:
    return Check(False, f"{name} answered {answer.status_code}, which is not what was expected: {answer.text[:200]}")
