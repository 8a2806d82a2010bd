"""A sandbox source beside a real one, in processes of their own: same ids, same campaign, yet only one mail leaves."""

from __future__ import annotations

import pytest

from campaigns import metrics
from campaigns.models import Journey
from events.models import Profile, Source
from messaging.models import Message, Provider
from tests import stack
from tests.factories import make_key, make_provider, make_source
from tests.fakes import FakePostmark
from tests.flows.test_whole_way import make_pricing_campaign, report, visit_pricing
from tests.flows.test_whole_way import make_provider as make_service

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.slow]


def make_sandbox() -> str:
    """Make a sandbox source and return a key of it."""
    source = make_source("Sandbox")
    Source.objects.filter(pk=source.pk).update(is_sandbox=True)
    return make_key(source)


def test_what_a_sandbox_sets_off_stays_in_the_mailbox_and_out_of_the_figures() -> None:
    make_provider("Mailbox")
    real, sandbox = make_key(), make_sandbox()
    with stack.running() as running, FakePostmark() as postmark:
        service = make_service("postmark", postmark, server_token="token")
        Provider.objects.filter(pk=service.pk).update(is_default=True)
        campaign = make_pricing_campaign(service)
        report(running, sandbox, visit_pricing("ada"))
        stack.wait_for(lambda: Message.objects.filter(status="delivered").exists(), 30, "the mail of the sandbox")
        assert postmark.taken == []
        report(running, real, visit_pricing("ada"))
        stack.wait_for(lambda: metrics.totals(campaign).get("mail", {}).get("sent"), 30, "the figures")

        assert [mail.body["To"] for mail in postmark.taken] == ["ada@example.com"]
        people = {profile.user_id: profile for profile in Profile.objects.all()}
        assert people.keys() == {"ada", "sandbox:ada"}
        kinds = dict(Message.objects.values_list("profile__user_id", "provider__kind"))
        assert kinds == {"ada": "postmark", "sandbox:ada": "mailbox"}
        assert dict(Journey.objects.values_list("profile__user_id", "is_test")) == {"ada": False, "sandbox:ada": True}
        assert metrics.totals(campaign)["mail"]["sent"] == 1, "the sandbox does not count"


def test_without_a_mailbox_nothing_goes_out_at_all_and_the_reason_is_told() -> None:
    sandbox = make_sandbox()
    with stack.running() as running, FakePostmark() as postmark:
        service = make_service("postmark", postmark, server_token="token")
        Provider.objects.filter(pk=service.pk).update(is_default=True)
        make_pricing_campaign(service)
        report(running, sandbox, visit_pricing("ada"))
        stack.wait_for(lambda: Message.objects.filter(status="skipped").exists(), 30, "the message to be settled")
        assert Message.objects.get().reason == "no_mailbox"
        assert postmark.taken == []
