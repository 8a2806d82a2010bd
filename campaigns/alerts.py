"""Tell operators of findings, by mail and by a web address: once of each, and once more when it is over.

Rows are claimed by a lease and committed before anything is sent, so that no two workers tell the same and one that
dies tells nothing twice but perhaps late. What several findings say goes into one mail.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Sequence
from datetime import datetime, timedelta
from http.client import HTTPException

from django.conf import settings
from django.core.mail import send_mail
from django.db import transaction
from django.db.models import Q
from django.urls import reverse
from django.utils import timezone

from campaigns import calling, outgoing
from campaigns.models import Finding, Safeguards
from campaigns.watch import CALM
from messaging.models import SendingDomain

logger = logging.getLogger(__name__)
LEASE = timedelta(minutes=3)
AT_ONCE = 50
Kind = Finding.Kind
# What often passes by itself is told of only after a while.
PATIENCE = {Kind.OVERDUE: timedelta(minutes=4), Kind.NO_WORKER: timedelta(minutes=1)}
# What to do, and the page for it.
ADVICE = {
    Kind.OVERDUE: "Is a worker running, and has it enough to do with? They move by themselves as soon as one does.",
    Kind.STUCK: "Read the error, mend its cause, and let them try again or skip the step.",
    Kind.PARKED: "Read the error, and let them try again.",
    Kind.PARKED_BY_CAMPAIGN: "Mend the condition, and let the events try again.",
    Kind.HALTED: "Find out why, and resume the campaign by hand.",
    Kind.HELD: "Look at the newest campaigns and at who was added to them; then let marketing go on there.",
    Kind.DOMAIN_FAILS: "The page says which record to publish. What waits goes out by itself after that.",
    Kind.DOMAIN_LISTED: "Find out why on the list's own page, mend that, and ask there to be taken off.",
    Kind.KEY_OLD: "The page says how to change it without a mail going unsigned.",
    Kind.SILENT: "Has the application stopped to send the event, or was it renamed?",
    Kind.HOT: "Does the application send the event too often? A pause keeps everybody's place.",
    Kind.NO_WORKER: "Start worker and beat, or see their logs.",
}


def tell(now: datetime | None = None) -> int:
    """Tell of what is new and of what is over. Returns of how many findings. No transaction is open meanwhile."""
    now = now or timezone.now()
    claimed = _claim(now)
    if not claimed:
        return 0
    safeguards = Safeguards.objects.first() or Safeguards()
    ways = [_mail(safeguards, claimed), _post(safeguards, claimed, now)]
    if any(way is False for way in ways) and True not in ways:
        return 0  # tried again when the lease is over
    over = [found.pk for found in claimed if found.until]
    new = [found.pk for found in claimed if not found.until]
    Finding.objects.filter(pk__in=new).update(told_at=now, lease_until=None)
    Finding.objects.filter(pk__in=over).update(over_told_at=now, lease_until=None)
    return len(claimed)


def address(finding: Finding) -> str:
    """Return the path of the page where something can be done about a finding."""
    campaign = finding.campaign_id
    match finding.kind:
        case Kind.STUCK:
            return reverse("admin:campaigns_campaign_journeys", args=[campaign]) + "?state=stuck"
        case Kind.PARKED:
            return reverse("admin:events_pending_changelist")
        case Kind.PARKED_BY_CAMPAIGN:
            return reverse("admin:campaigns_parked_changelist") + f"?campaign__id__exact={campaign}"
        case Kind.HALTED:
            return reverse("admin:campaigns_campaign_rollout", args=[campaign])
        case Kind.SILENT:
            return reverse("admin:campaigns_campaign_check", args=[campaign])
        case Kind.HOT:
            return reverse("admin:campaigns_campaign_metrics", args=[campaign])
        case Kind.HELD:
            return reverse("admin:messaging_sendingdomain_changelist")
        case Kind.DOMAIN_FAILS | Kind.DOMAIN_LISTED | Kind.KEY_OLD:
            return _page_of_domain(finding.subject)
    return reverse("admin:index")


def _page_of_domain(name: str) -> str:
    domain = SendingDomain.objects.filter(name=name).first()
    if domain is None:
        return reverse("admin:messaging_sendingdomain_changelist")
    return reverse("admin:messaging_sendingdomain_change", args=[domain.pk])


@transaction.atomic
def _claim(now: datetime) -> list[Finding]:
    """Lease the findings to be told of now: those that last, and those told of before that are over for good."""
    patient = Q()
    for kind, span in PATIENCE.items():
        patient |= Q(kind=kind, since__gt=now - span)
    new = Q(told_at=None, until=None) & ~patient
    over = Q(over_told_at=None, until__lte=now - CALM) & ~Q(told_at=None)
    free = Q(lease_until=None) | Q(lease_until__lt=now)
    due = Finding.objects.filter(new | over, free).select_related("campaign").order_by("pk")
    claimed = list(due.select_for_update(skip_locked=True, of=("self",))[:AT_ONCE])
    Finding.objects.filter(pk__in=[found.pk for found in claimed]).update(lease_until=now + LEASE)
    return claimed


def _mail(safeguards: Safeguards, findings: Sequence[Finding]) -> bool | None:
    """Send one mail about all of them. None: there is nobody to be told; False: it could not be sent."""
    operators = safeguards.operators.split() or [_address(admin) for admin in settings.ADMINS]
    if not operators:
        return None
    try:
        send_mail(_subject(findings), "\n\n".join(map(_said, findings)), settings.DEFAULT_FROM_EMAIL, operators)
    except OSError:  # SMTP's errors are such
        logger.exception("operators could not be told of %s findings by mail", len(findings))
        return False
    return True


def _address(admin: object) -> str:
    """Return the address of one of Django's ADMINS, which are pairs up to Django 5."""
    return str(admin[1]) if isinstance(admin, tuple | list) else str(admin)


def _post(safeguards: Safeguards, findings: Sequence[Finding], now: datetime) -> bool | None:
    """Post all of them to the workspace's address, signed as calls of campaigns are."""
    if not safeguards.webhook:
        return None
    body = json.dumps({"type": "findings", "timestamp": now.isoformat(), "data": list(map(_row, findings))}).encode()
    # The same news, told again after a failure, bears the same id.
    news_id = f"findings_{min(found.pk for found in findings)}_{int(now.timestamp())}"
    headers = {"Content-Type": "application/json", **calling.signature(news_id, body)}
    try:
        reply = outgoing.call("POST", safeguards.webhook, headers, body)
    except (outgoing.Refused, OSError, HTTPException) as error:
        logger.warning("operators could not be told by %s: %s", safeguards.webhook, error)
        return False
    if not 200 <= reply.status < 300:
        logger.warning("operators could not be told by %s: %s %s", safeguards.webhook, reply.status, reply.reason)
    return 200 <= reply.status < 300


def _subject(findings: Sequence[Finding]) -> str:
    first = findings[0]
    words = f"{'Over: ' if first.until else ''}{Kind(first.kind).label}"
    more = len(findings) - 1
    return f"[Cuebird] {words}" + (f", and {more} more" if more else "")


def _said(finding: Finding) -> str:
    if finding.until:
        return f"Over since {finding.until:%Y-%m-%d %H:%M} UTC: {finding.says}"
    advice = ADVICE[Kind(finding.kind)]
    url = f"{settings.BASE_URL}{address(finding)}"
    return f"{finding.says}\nSince {finding.since:%Y-%m-%d %H:%M} UTC. {advice}\n{url}"


def _row(finding: Finding) -> dict[str, str | None]:
    return {
        "kind": finding.kind,
        "campaign": finding.campaign.slug if finding.campaign else None,
        "subject": finding.subject or None,
        "says": finding.says,
        "since": finding.since.isoformat(),
        "until": finding.until.isoformat() if finding.until else None,
        "url": f"{settings.BASE_URL}{address(finding)}",
    }
