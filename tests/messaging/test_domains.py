"""Sending domains are found, looked at in the background by real DNS, and what is said of them is kept and told."""

from __future__ import annotations

import time
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from django.core import mail
from django.test import Client
from django.utils import timezone
from pytest_django import Settings

from campaigns import alerts, watch
from campaigns.models import Finding
from events.models import AuditEntry, Profile
from messaging import delivery, dns_rules, domains
from messaging.models import Message, SendingDomain
from messaging.reasons import Reason
from messaging.states import Status
from tests.factories import make_message, make_profile, make_provider, make_template
from tests.fakes import FakeSendGrid
from tests.messaging.nameserver import NameServer, Zone
from tests.messaging.services import sendgrid_provider
from tests.messaging.test_dns_rules import key_record

pytestmark = pytest.mark.django_db
DOMAIN = "mail.acme.example"


@pytest.fixture(scope="module")
def good() -> Zone:
    """As SendGrid sets it up: two CNAMEs for keys, one for the return path; each leads to records of SendGrid's."""
    return {
        (DOMAIN, "TXT"): ("v=spf1 include:sendgrid.net ~all",),
        ("sendgrid.net", "TXT"): ("v=spf1 ip4:198.51.100.0/24 ~all",),
        (f"s1._domainkey.{DOMAIN}", "CNAME"): ("s1.domainkey.u1.wl.sendgrid.net",),
        ("s1.domainkey.u1.wl.sendgrid.net", "TXT"): (key_record(2048),),
        (f"_dmarc.{DOMAIN}", "TXT"): ("v=DMARC1; p=reject; rua=mailto:dmarc@acme.example",),
        (DOMAIN, "MX"): ("10 mx.acme.example.",),
    }


@pytest.fixture
def server(good: Zone, settings: Settings) -> Iterator[NameServer]:
    with NameServer(dict(good)) as found:
        settings.DNS_SERVERS = [found.address]
        yield found


def make_domain(**columns: Any) -> SendingDomain:
    return SendingDomain.objects.create(name=DOMAIN, **columns)


def look() -> SendingDomain:
    SendingDomain.objects.update(check_at=timezone.now())
    domains.check_due(timezone.now())
    return SendingDomain.objects.get()


def states(domain: SendingDomain) -> dict[str, str]:
    return {one.check: one.state for one in domains.findings(domain)}


def test_domains_are_found_where_mail_leaves_this_machine() -> None:
    make_provider(from_email="here@mailbox.example")
    make_template(from_email="Shop <shop@shop.acme.example>")
    assert domains.discover() == 0, "what stays in the built-in mailbox needs no domain"
    make_provider(kind="smtp", from_email=f"Acme <hello@{DOMAIN.upper()}>", settings={"host": "x"})
    make_provider(kind="smtp", from_email="off@other.example", enabled=False)
    make_provider(kind="smtp", from_email="me@localhost")
    assert domains.discover() == 2
    assert domains.discover() == 0
    assert list(SendingDomain.objects.values_list("name", flat=True)) == [DOMAIN, "shop.acme.example"]


def test_a_good_domain_is_found_good_by_real_dns(server: NameServer) -> None:
    make_domain(selectors=["s1"])
    domain = look()
    assert states(domain) == dict.fromkeys(dns_rules.TITLES, "good")
    assert not domain.fails and domain.passed_at and domain.lease_until is None
    assert domain.check_at - domain.checked_at > timedelta(hours=23)  # type: ignore[operator]
    assert len(domain.keys) == 1
    assert len(server.asked) == len(set(server.asked)), "nothing is asked twice"


def test_a_domain_that_fails_is_held_once_it_has_failed_again(server: NameServer) -> None:
    make_domain(selectors=["s1"])
    assert not look().fails
    record = server.zone.pop((f"_dmarc.{DOMAIN}", "TXT"))
    domain = look()
    assert domain.failures == 1 and not domain.fails, "it has passed before, and may be at fault for a moment"
    assert domain.check_at - domain.checked_at < timedelta(minutes=11)  # type: ignore[operator]
    assert look().fails
    server.zone[f"_dmarc.{DOMAIN}", "TXT"] = record
    assert look().failures == 0


def test_a_domain_that_has_never_passed_is_held_at_once_and_what_waits_goes_out_when_it_passes(
    server: NameServer,
) -> None:
    spf = server.zone.pop((DOMAIN, "TXT"))
    make_domain(selectors=["s1"])
    assert look().fails
    with FakeSendGrid() as fake:
        provider = sendgrid_provider(fake, from_email=f"hello@{DOMAIN}", is_default=True)
        message = make_message(make_profile(traits={"email": "ada@example.com"}), provider=provider)
        delivery.deliver_due(time.monotonic() + 20)
        message.refresh_from_db()
        assert (message.status, message.reason) == (Status.QUEUED, Reason.DOMAIN_FAILS)
        assert message.detail == f"{DOMAIN} fails its checks"
        server.zone[DOMAIN, "TXT"] = spf
        assert not look().fails
        delivery.deliver_due(time.monotonic() + 20)
        assert len(fake.taken) == 1


def test_while_dns_is_silent_what_was_known_goes_on_and_no_page_waits(
    good: Zone, settings: Settings, admin_client: Client
) -> None:
    with NameServer(good) as server:
        settings.DNS_SERVERS = [server.address]
        make_domain(selectors=["s1"])
        make_provider(kind="smtp", from_email=f"hello@{DOMAIN}")
        look()
    with NameServer(silent=True) as server:
        settings.DNS_SERVERS = [server.address]
        for page in ("", f"{SendingDomain.objects.get().pk}/change/"):
            assert admin_client.get(f"/admin/messaging/sendingdomain/{page}").status_code == 200
        pk = SendingDomain.objects.get().pk
        assert admin_client.post(f"/admin/messaging/sendingdomain/{pk}/look/").status_code == 302
        assert server.asked == [], "pages ask nobody"
        domain = look()
        assert len(set(server.asked)) <= domains.MOST_SILENT, "a dead server is not asked everything"
    assert {states(domain)[check] for check in dns_rules.NEEDED} == {"unknown"}
    assert not domain.fails and domain.failures == 0 and len(domain.keys) == 1
    assert domain.check_at - timezone.now() < timedelta(minutes=16)


def test_two_workers_look_at_a_domain_once(server: NameServer) -> None:
    make_domain()
    SendingDomain.objects.update(lease_until=timezone.now() + timedelta(minutes=1))
    assert domains.check_due(timezone.now()) == 0
    assert domains.check_due(timezone.now() + timedelta(minutes=2)) == 1


# --- The page --------------------------------------------------------------------------------------------------------


def test_the_page_says_what_was_found_expected_and_how_to_mend_it(server: NameServer, admin_client: Client) -> None:
    server.zone[DOMAIN, "TXT"] = ("v=spf1 a ~all", "v=spf1 mx ~all")
    make_provider(kind="smtp", from_email=f"hello@{DOMAIN}")
    domain = make_domain(selectors=["s1", "s2"])
    page = admin_client.get(f"/admin/messaging/sendingdomain/{domain.pk}/change/").content.decode()
    assert "DNS is being asked" in page and 'http-equiv="refresh"' in page
    look()
    page = admin_client.get(f"/admin/messaging/sendingdomain/{domain.pk}/change/").content.decode()
    assert "http-equiv" not in page
    assert "v=spf1 a mx ~all" in page and "There may be one only" in page
    assert "s2._domainkey" in page
    assert "Marketing from this domain waits" in page
    overview = admin_client.get("/admin/messaging/sendingdomain/").content.decode()
    assert "Fails: marketing waits" in overview


def test_what_dns_cannot_tell_is_written_there(admin_client: Client) -> None:
    domain = make_domain(checked_at=timezone.now(), check_at=timezone.now() + timedelta(days=1))
    url = f"/admin/messaging/sendingdomain/{domain.pk}/change/"
    for selectors, path, words in (
        ("s1 s!", "", "“s!” is no name of a key"),
        ("", "nowhere", "“nowhere” is no domain"),
    ):
        answer = admin_client.post(url, {"selectors": selectors, "return_path": path})
        assert words in answer.content.decode()
    assert admin_client.post(url, {"selectors": "S1, s2 s1", "return_path": f"bounces.{DOMAIN}."}).status_code == 302
    domain.refresh_from_db()
    assert (domain.selectors, domain.return_path) == (["s1", "s2"], f"bounces.{DOMAIN}")
    assert domain.check_at <= timezone.now()
    assert AuditEntry.objects.get(action="domains").details["domain"] == DOMAIN


def test_who_may_only_look_changes_nothing(client: Client, django_user_model: Any) -> None:
    domain = make_domain()
    client.force_login(django_user_model.objects.create_user("guest", is_staff=True))
    for page in ("", f"{domain.pk}/change/"):
        assert client.get(f"/admin/messaging/sendingdomain/{page}").status_code == 403
    assert client.post(f"/admin/messaging/sendingdomain/{domain.pk}/look/").status_code == 403


# --- Alerts ----------------------------------------------------------------------------------------------------------


def test_operators_are_told_of_a_domain_that_fails_and_when_it_is_over(server: NameServer, settings: Settings) -> None:
    settings.ADMINS = [("", "ops@acme.example")]
    server.zone.pop((f"_dmarc.{DOMAIN}", "TXT"))
    make_domain(selectors=["s1"])
    look()
    now = timezone.now()
    watch.look(now)
    assert alerts.tell(now) == 1
    told = mail.outbox[0]
    assert told.subject == "[Cuebird] A sending domain fails its checks"
    assert f"Publish a TXT record at _dmarc.{DOMAIN}" in str(told.body)
    assert f"/admin/messaging/sendingdomain/{SendingDomain.objects.get().pk}/change/" in str(told.body)
    server.zone[f"_dmarc.{DOMAIN}", "TXT"] = ("v=DMARC1; p=none; rua=mailto:a@acme.example",)
    look()
    watch.look(now)
    assert Finding.objects.get().until is not None


def test_operators_are_told_of_old_keys_and_blocklists(server: NameServer) -> None:
    server.zone[f"{DOMAIN}.dbl.spamhaus.org", "A"] = ("127.0.1.2",)
    make_domain(selectors=["s1"])
    domain = look()
    old = {print_of: (timezone.now() - timedelta(days=400)).date().isoformat() for print_of in domain.keys}
    SendingDomain.objects.update(keys=old)
    watch.look(timezone.now())
    assert set(Finding.objects.values_list("kind", "subject")) == {("key_old", DOMAIN), ("domain_listed", DOMAIN)}
    assert SendingDomain.objects.get().keys == old


@pytest.fixture
def ada() -> Profile:
    return make_profile(traits={"email": "ada@example.com"})


def test_receipts_from_a_domain_that_fails_still_go(ada: Profile) -> None:
    make_domain(failures=2)
    with FakeSendGrid() as fake:
        provider = sendgrid_provider(fake, from_email=f"hello@{DOMAIN}")
        make_message(ada, provider=provider, purpose="transactional")
        delivery.deliver_due(time.monotonic() + 20)
        assert len(fake.taken) == 1
    assert Message.objects.get().status == Status.SENT
