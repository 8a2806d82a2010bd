"""Look for evidence of messages whose outcome is unknown, where a provider can be asked: Postmark's message search.

Found, a message is out, and settled as if a webhook had said so. Not found says nothing: it is asked again later.
Source: https://postmarkapp.com/developer/api/messages-api (metadata search).
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from django.db.models import Q
from requests import RequestException, Session

from messaging import credentials, deadlines, feedback, outward
from messaging.connection import POSTMARK
from messaging.errors import CredentialsError
from messaging.feedback import Report
from messaging.models import Message, Provider
from messaging.states import Status

# It takes a moment until a message can be found. At first it is asked about each minute, then each hour for two days.
AT_FIRST, IN_ALL = timedelta(minutes=15), timedelta(days=2)
TOO_FRESH = timedelta(seconds=30)
AT_ONCE = 50


def search(now: datetime) -> int:
    """Ask about what is in doubt; return how many were found. No transaction is open while Postmark is asked."""
    providers = {provider.pk: provider for provider in Provider.objects.filter(kind=Provider.Kind.POSTMARK)}
    if not providers:
        return 0
    default = next((provider for provider in providers.values() if provider.is_default), None)
    since = now - (IN_ALL if now.minute == 0 else AT_FIRST)
    theirs = Q(provider__in=providers) | (Q(provider=None) if default else Q(pk__in=[]))
    doubtful = Message.objects.filter(theirs, status=Status.UNKNOWN, called_at__range=(since, now - TOO_FRESH))
    reports = []
    with Session() as session:
        deadlines.bound(session)
        for message in doubtful.order_by("-called_at")[:AT_ONCE]:
            provider = providers.get(message.provider_id) if message.provider_id else default
            assert provider is not None, "the query asks for these alone"
            if found := _find(session, provider, message):
                reports.append(found)
    return feedback.record(reports)


def _find(session: Session, provider: Provider, message: Message) -> Report | None:
    base = str(provider.settings.get("api_url") or POSTMARK)
    try:
        answer = session.get(
            f"{base.rstrip('/')}/messages/outbound",
            params={"count": "1", "offset": "0", "metadata_message_id": str(message.public_id)},
            headers={
                "X-Postmark-Server-Token": credentials.reveal(provider)["server_token"],
                "Accept": "application/json",
            },
            timeout=outward.TIMEOUT,
        )
        said: dict[str, Any] = answer.json() if answer.ok else {}
    except (RequestException, CredentialsError, KeyError, ValueError):
        return None
    known = said.get("Messages") or []
    if not known:
        return None
    return Report(
        "sent",
        f"postmark:found:{message.public_id}",
        message.called_at or message.updated_at,
        message_public_id=str(message.public_id),
        provider_message_id=str(known[0].get("MessageID", "")),
        description="Found by Postmark's message search",
    )
