"""Marketing that must not go out does not, by whatever way it comes; without what forbids it, each way sends it."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from datetime import timedelta

import pytest
from django.conf import settings
from django.contrib.auth.models import User
from django.test import Client
from django.utils import timezone
from pytest_django import Settings

from events.audit import Actor
from events.models import Import, Profile
from events.transfers import imports
from messaging import approval, consent, delivery, holds, outbox, permission, preview, rendering, subscriptions
from messaging.models import (
    Consent,
    Hold,
    Message,
    Provider,
    SendingDomain,
    SendingLimits,
    Subscription,
    Template,
    Topic,
)
from messaging.permission import Given
from messaging.reasons import Reason
from messaging.states import Status
from tests.campaigns import flow
from tests.events.api.manage.test_lists import token
from tests.events.transfers.test_imports import upload
from tests.factories import make_message, make_profile, make_topic, make_version
from tests.fakes import FakeSendGrid
from tests.messaging.services import sendgrid_provider

pytestmark = pytest.mark.django_db
DOMAIN = "acme.example"


@pytest.fixture
def sendgrid() -> Iterator[FakeSendGrid]:
    with FakeSendGrid() as fake:
        yield fake


@pytest.fixture
def ada(sendgrid: FakeSendGrid) -> Profile:
    """A person, and a marketing template that a provider elsewhere would carry to them."""
    provider = sendgrid_provider(sendgrid, name="Mailbox", is_default=True, from_email=f"Acme <hello@{DOMAIN}>")
    topic = make_topic()
    Template.objects.create(
        name="Hello", subject="News", html="<p>News for {{ customer.email }}</p>", provider=provider, topic=topic
    )
    return make_profile("ada", traits={"email": "ada@example.com"})


@pytest.fixture
def postal_address(settings: Settings) -> None:
    """Put it back after a test that takes it away."""
    settings.POSTAL_ADDRESS = str(settings.POSTAL_ADDRESS)


def template() -> Template:
    return Template.objects.get(name="Hello")


# --- Ways to send ----------------------------------------------------------------------------------------------------


def by_a_campaign(ada: Profile) -> None:
    flow.make_campaign()
    flow.happens(ada)
    flow.settle()


def by_an_approved_draft(ada: Profile) -> None:
    flow.make_campaign({**flow.send(), "sending": "draft"})
    flow.happens(ada)
    flow.settle()
    approval.approve(list(Message.objects.values_list("pk", flat=True)), Actor("boss"))


def by_a_test_to_somebody_else(ada: Profile) -> None:
    preview.send_test(template(), make_profile("sample", traits={"email": "s@example.com"}), None, ada.email, None)


def by_the_api(ada: Profile) -> None:
    answer = Client().post(
        "/api/v1/send/",
        {"template": "Hello", "to": {"userId": "ada"}},
        "application/json",
        headers={"Authorization": f"Bearer {token('messages:write')}"},
    )
    assert answer.status_code == 202, answer.content


def by_sending_again(ada: Profile) -> None:
    version = make_version(template())
    sent = make_message(ada, status=Status.UNKNOWN, called_at=timezone.now(), template_version=version)
    outbox.requeue(sent)


def by_a_copy(ada: Profile) -> None:
    outbox.copy(make_message(ada, status=Status.SENT, template_version=make_version(template())))


def by_an_import(ada: Profile) -> None:
    flow.make_campaign(event="Imported")
    new = upload(b"user_id,event\nada,Imported", triggers=True)
    imports.begin(new, Import.State.RUNNING)
    imports.work(time.monotonic() + 20)
    assert Import.objects.get(pk=new.pk).state == Import.State.DONE
    flow.settle()


def by_letting_somebody_in(ada: Profile) -> None:
    campaign = flow.make_campaign()
    answer = Client().post(
        f"/api/v1/campaigns/{campaign.slug}/start/",
        {"userId": "ada"},
        "application/json",
        headers={"Authorization": f"Bearer {token('campaigns:write')}"},
    )
    assert answer.status_code < 300, answer.content
    flow.settle()


def by_recovery(ada: Profile) -> None:
    late = timezone.now() - timedelta(seconds=1)
    make_message(ada, status=Status.SENDING, lease_until=late, attempts=1, template_version=make_version(template()))
    delivery.recover(timezone.now())


WAYS = [
    by_a_campaign,
    by_an_approved_draft,
    by_a_test_to_somebody_else,
    by_the_api,
    by_sending_again,
    by_a_copy,
    by_an_import,
    by_letting_somebody_in,
    by_recovery,
]


# --- What forbids it -------------------------------------------------------------------------------------------------


def gone(ada: Profile) -> Reason:
    consent.unsubscribe(ada.pk, "page")
    return Reason.UNSUBSCRIBED


def suppressed(ada: Profile) -> Reason:
    consent.suppress("ADA@example.com", "bounce")
    return Reason.SUPPRESSED


def left_the_topic(ada: Profile) -> Reason:
    subscriptions.unsubscribe([ada.pk], Topic.objects.get(), Subscription.Source.PAGE)
    return Reason.TOPIC_LEFT


def without_consent(ada: Profile) -> Reason:
    SendingLimits.objects.create(consent=SendingLimits.Consent.CONSENTED)
    return Reason.NO_CONSENT


def with_consent_that_has_ended(ada: Profile) -> Reason:
    inquired = timezone.now() - timedelta(days=200)
    permission.note([Given(ada.pk, Consent.Basis.INQUIRY, "manual", given_at=inquired)])
    return Reason.CONSENT_ENDED


def without_a_postal_address(ada: Profile) -> Reason:
    settings.POSTAL_ADDRESS = ""
    return Reason.NO_POSTAL_ADDRESS


def from_a_domain_that_fails(ada: Profile) -> Reason:
    SendingDomain.objects.create(name=DOMAIN, failures=2)
    return Reason.DOMAIN_FAILS


def by_a_provider_that_is_held(ada: Profile) -> Reason:
    provider = Provider.objects.get(name=template().provider.name)  # type: ignore[union-attr]
    holds.hold(Hold.Kind.PROVIDER, str(provider.pk), provider.name, "too many bounces")
    return Reason.HELD


FORBIDDEN = [
    gone,
    suppressed,
    left_the_topic,
    without_consent,
    with_consent_that_has_ended,
    without_a_postal_address,
    from_a_domain_that_fails,
    by_a_provider_that_is_held,
]


def deliver() -> None:
    delivery.deliver_due(time.monotonic() + 20)


@pytest.mark.parametrize("way", WAYS)
def test_each_way_sends_what_nothing_forbids(ada: Profile, sendgrid: FakeSendGrid, way: Callable[..., None]) -> None:
    way(ada)
    deliver()
    assert [post.body["personalizations"][0]["to"][0]["email"] for post in sendgrid.taken] == ["ada@example.com"]


@pytest.mark.usefixtures("postal_address")
@pytest.mark.parametrize("forbid", FORBIDDEN)
@pytest.mark.parametrize("way", WAYS)
def test_no_way_sends_what_is_forbidden(
    ada: Profile,
    sendgrid: FakeSendGrid,
    way: Callable[[Profile], None],
    forbid: Callable[[Profile], Reason],
) -> None:
    reason = forbid(ada)
    way(ada)
    deliver()
    assert sendgrid.taken == []
    found = Message.objects.exclude(status=Status.SENT).get()
    waits = reason in (Reason.DOMAIN_FAILS, Reason.HELD)
    assert (found.status, found.reason) == (Status.QUEUED if waits else Status.SKIPPED, reason)


@pytest.mark.parametrize("way", WAYS)
def test_no_way_sends_a_mail_without_a_link_to_leave(
    ada: Profile, sendgrid: FakeSendGrid, monkeypatch: pytest.MonkeyPatch, way: Callable[[Profile], None]
) -> None:
    """Usually the link is added to what shows none; should that ever fail, the finished mail is still looked over."""
    monkeypatch.setattr(rendering, "FOOTER_HTML", "<p>{url:.0}</p>")
    way(ada)
    deliver()
    assert sendgrid.taken == []
    assert Message.objects.exclude(status=Status.SENT).get().reason == Reason.NO_UNSUBSCRIBE_LINK


def test_a_link_that_nobody_sees_is_none(ada: Profile, sendgrid: FakeSendGrid) -> None:
    Template.objects.update(html="<!-- <a href='{{ unsubscribe_url }}'>out</a> --><p>News</p>")
    by_the_api(ada)
    deliver()
    html = sendgrid.taken[0].body["content"][1]["value"]
    assert html.count("/m/u/") == 2 and html.rindex(">Unsubscribe</a>") > html.index("<p>News</p>")


def test_colleagues_get_tests_whatever_they_said_as_customers(ada: Profile, sendgrid: FakeSendGrid) -> None:
    User.objects.create_user("ada", "Ada@Example.com", is_staff=True)
    gone(ada)
    without_consent(ada)
    by_a_test_to_somebody_else(ada)
    deliver()
    assert len(sendgrid.taken) == 1


@pytest.mark.parametrize(("allowed", "goes"), [("", 0), ("@example.com", 1), ("eve@example.com\nada@example.com", 1)])
def test_tests_go_to_the_addresses_that_may_have_them(
    ada: Profile, sendgrid: FakeSendGrid, allowed: str, goes: int
) -> None:
    without_consent(ada)
    SendingLimits.objects.update(test_addresses=allowed)
    by_a_test_to_somebody_else(ada)
    deliver()
    assert len(sendgrid.taken) == goes


@pytest.mark.usefixtures("postal_address")
def test_receipts_go_all_the_same(ada: Profile, sendgrid: FakeSendGrid) -> None:
    for forbid in FORBIDDEN:
        if forbid is not suppressed:
            forbid(ada)
    make_message(ada, purpose="transactional", template_version=make_version(template()))
    deliver()
    assert len(sendgrid.taken) == 1


def test_what_waits_goes_out_when_it_is_put_right_and_is_given_up_after_days(
    ada: Profile, sendgrid: FakeSendGrid
) -> None:
    by_a_provider_that_is_held(ada)
    by_the_api(ada)
    deliver()
    message = Message.objects.get()
    assert (message.status, message.detail) == (Status.QUEUED, "too many bounces")
    holds.lift(Hold.objects.get(), "boss")
    deliver()
    assert len(sendgrid.taken) == 1
    by_a_provider_that_is_held(ada)
    by_a_copy(ada)
    Message.objects.filter(status=Status.QUEUED).update(held_since=timezone.now() - timedelta(days=4))
    deliver()
    assert Message.objects.filter(status=Status.SKIPPED, reason=Reason.HELD).count() == 1


def test_somebody_with_consent_gets_it(ada: Profile, sendgrid: FakeSendGrid) -> None:
    without_consent(ada)
    permission.note([Given(ada.pk, Consent.Basis.PURCHASE, "api", channel="email")])
    by_the_api(ada)
    deliver()
    assert len(sendgrid.taken) == 1


def test_what_stays_in_the_mailbox_needs_no_good_domain(ada: Profile, sendgrid: FakeSendGrid) -> None:
    from_a_domain_that_fails(ada)
    Provider.objects.update(kind=Provider.Kind.MAILBOX)
    by_the_api(ada)
    deliver()
    assert Message.objects.get().status == Status.DELIVERED
