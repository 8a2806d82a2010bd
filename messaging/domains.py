"""Look after the domains that mails are sent from: find them, ask DNS about them in the background, keep what it says.

A page shows what was kept and asks for another look; only workers wait for name servers. Each domain is looked at
daily, one that fails sooner. ``dns_rules`` judges.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Sequence
from dataclasses import asdict
from datetime import datetime, timedelta

import dns.exception
import dns.resolver
from django.conf import settings
from django.db import transaction
from django.db.models import Q
from django.db.models.functions import Now
from django.utils import timezone

from events import nudges
from messaging import holds
from messaging.dns_rules import HABITS, Answer, Ask, Finding, Habits, Report, examine
from messaging.kinds import KINDS
from messaging.models import Provider, SendingDomain, Template
from messaging.names import ChannelName
from messaging.reasons import Reason

DAILY, SOON, HOURLY, SILENT_AGAIN = timedelta(days=1), timedelta(minutes=10), timedelta(hours=1), timedelta(minutes=15)
LEASE = timedelta(minutes=5)
# One question, with all tries; and how many may fail in a row before a look is given up.
SECONDS = 4.0
MOST_SILENT = 3
SILENT = "DNS did not answer"


def discover() -> int:
    """Note the domains that providers and templates send from; return how many are new. Four statements at most."""
    wanted = {domain for domain in (holds.domain_of(sender) for sender in _senders()) if "." in domain}
    new = wanted.difference(SendingDomain.objects.filter(name__in=wanted).values_list("name", flat=True))
    SendingDomain.objects.bulk_create((SendingDomain(name=name) for name in sorted(new)), ignore_conflicts=True)
    return len(new)


def _senders() -> list[str]:
    providers = list(_outside())
    if not providers:
        return []
    senders = [provider.from_email or settings.DEFAULT_FROM_EMAIL for provider in providers]
    templates = Template.objects.filter(channel=ChannelName.EMAIL).exclude(from_email="")
    return [*senders, *templates.values_list("from_email", flat=True).distinct()]


def _outside() -> list[Provider]:
    """Return the accounts by which mail leaves this machine."""
    kinds = [name for name, kind in KINDS.items() if kind.channel == ChannelName.EMAIL and kind.calls_out]
    return list(Provider.objects.filter(enabled=True, kind__in=kinds).order_by("pk"))


def habits_of(domain: str) -> list[Habits]:
    """Return how the services sign by which ``domain`` sends: those whose sender it is, or all of them."""
    providers = _outside()
    own = [one for one in providers if holds.domain_of(one.from_email or settings.DEFAULT_FROM_EMAIL) == domain]
    return [HABITS.get(one.kind, Habits()) for one in (own or providers)]


def request(domain: SendingDomain) -> None:
    """Have a domain looked at right away, by a worker."""
    SendingDomain.objects.filter(pk=domain.pk).update(check_at=Now())
    nudges.nudge("domains")


def check_due(now: datetime) -> int:
    """Look at the domains that are due, one after the other; return how many. No transaction is open meanwhile."""
    done = 0
    while (domain := _claim(now)) is not None:
        look(domain, resolver())
        done += 1
    return done


def _claim(now: datetime) -> SendingDomain | None:
    free = Q(lease_until=None) | Q(lease_until__lt=now)
    with transaction.atomic():
        due = SendingDomain.objects.filter(free, check_at__lte=now).order_by("check_at")
        domain = due.select_for_update(skip_locked=True).first()
        if domain is not None:
            SendingDomain.objects.filter(pk=domain.pk).update(lease_until=now + LEASE)
    return domain


def look(domain: SendingDomain, ask: Ask) -> Report:
    """Ask DNS about a domain, and keep what it says. What waited for a domain that passes now goes out."""
    report = examine(
        domain.name,
        ask,
        timezone.now(),
        selectors=domain.selectors,
        bounces=domain.return_path,
        habits=habits_of(domain.name),
        seen=domain.keys,
    )
    now, failed = timezone.now(), domain.fails
    columns: dict[str, object] = {
        "lease_until": None,
        "checked_at": now,
        "findings": list(map(asdict, report.findings)),
    }
    if report.is_silent:
        # Nothing is known, so what was known goes on.
        columns["check_at"] = now + SILENT_AGAIN
    elif report.fails:
        columns |= {"failures": domain.failures + 1, "check_at": now + (SOON if domain.failures == 0 else HOURLY)}
    else:
        columns |= {"failures": 0, "passed_at": now, "check_at": now + DAILY}
    if report.since:
        columns["keys"] = dict(report.since)
    SendingDomain.objects.filter(pk=domain.pk).update(**columns)
    if failed and not report.fails and not report.is_silent:
        holds.call_up(Reason.DOMAIN_FAILS)
    return report


def findings(domain: SendingDomain) -> list[Finding]:
    """Return what the last look found."""
    return [Finding(**one) for one in domain.findings]


def resolver() -> Ask:
    """Return a way to ask DNS that gives up when it does not answer, and asks nothing twice."""
    asking = dns.resolver.Resolver(configure=not settings.DNS_SERVERS)
    if settings.DNS_SERVERS:
        asking.nameservers = [_server(one) for one in settings.DNS_SERVERS]
    asking.lifetime, asking.timeout = SECONDS, SECONDS / 2
    known: dict[tuple[str, str], Answer] = {}
    silent = 0

    def ask(name: str, kind: str) -> Answer:
        nonlocal silent
        if (name, kind) not in known:
            known[name, kind] = Answer(error=SILENT) if silent >= MOST_SILENT else _asked(asking, name, kind)
            silent = silent + 1 if known[name, kind].error else 0
        return known[name, kind]

    return ask


def _server(text: str) -> dns.nameserver.Nameserver:
    """Return a name server that the setting names, as ``9.9.9.9`` or ``127.0.0.1:5353``."""
    host, _, port = text.rpartition(":") if text.count(":") == 1 else (text, "", "53")
    return dns.nameserver.Do53Nameserver(str(ipaddress.ip_address(host.strip("[]"))), int(port))


def _asked(asking: dns.resolver.Resolver, name: str, kind: str) -> Answer:
    try:
        found = asking.resolve(name, kind, raise_on_no_answer=False)
    except dns.resolver.NXDOMAIN:
        return Answer()
    except dns.exception.DNSException as error:
        return Answer(error=f"{SILENT}: {type(error).__name__}")
    # Name servers shuffle what they answer; a page says the same each day.
    return Answer(tuple(sorted(_text(record, kind) for record in found.rrset or ())))


def _text(record: object, kind: str) -> str:
    """Return a record as people write it; a TXT record may come in several strings, which belong together."""
    if kind == "TXT":
        strings: Sequence[bytes] = record.strings  # type: ignore[attr-defined]
        return b"".join(strings).decode("utf-8", "replace")
    return str(record)
