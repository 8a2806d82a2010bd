"""Send steps whose mails somebody approves, or that send nothing: the journey goes on all the same."""

from __future__ import annotations

import time
from typing import Any

import pytest

from campaigns import metrics
from campaigns.engine.definition import problems
from campaigns.merging import follow_merge
from campaigns.models import Journey, Metric
from campaigns.reasons import Ending
from events.audit import Actor
from messaging import approval, delivery
from messaging.models import Message
from messaging.reasons import Reason
from messaging.states import Status
from tests.campaigns.flow import happens, make_campaign, send, settle
from tests.factories import make_profile

pytestmark = pytest.mark.django_db
ANNA = Actor("anna")


def sending(how: str) -> dict[str, Any]:
    return {**send(), "sending": how}


def figures() -> dict[str, int]:
    delivery.deliver_due(time.monotonic() + 20)
    settle()
    return metrics.totals(Journey.objects.latest("pk").campaign)["mail"]


def enters(**properties: Any) -> Message:
    happens(make_profile(email="ada@example.com"), properties=properties)
    settle()
    return Message.objects.latest("pk")


def test_the_journey_goes_on_while_the_draft_waits_and_counts_as_sent_once_it_is() -> None:
    make_campaign(sending("draft"))
    message = enters()
    assert message.status == Status.DRAFT
    assert Journey.objects.get().ending == Ending.COMPLETED
    assert Metric.SENT not in figures() and Metric.SKIPPED not in figures()
    approval.approve([message.pk], ANNA)
    found = figures()
    assert found[Metric.SENT] == found[Metric.DELIVERED] == 1


@pytest.mark.parametrize(("how", "reason"), [("draft", Reason.REFUSED), ("never", Reason.SENDS_NOTHING)])
def test_what_is_refused_or_only_tried_out_counts_as_not_sent(how: str, reason: Reason) -> None:
    make_campaign(sending(how))
    message = enters()
    approval.refuse([message.pk], ANNA)
    found = figures()
    message.refresh_from_db()
    assert (message.status, message.reason) == (Status.SKIPPED, reason)
    assert found[Metric.SKIPPED] == 1 and Metric.SENT not in found
    assert Journey.objects.get().ending == Ending.COMPLETED


def test_what_makes_a_mail_unwanted_before_it_is_approved_keeps_it_back() -> None:
    make_campaign(sending("draft"), exits=[{"when": "event", "event": "Order Completed", "same": "order_id"}])
    message = enters(order_id=1)
    happens(message.profile, "Order Completed", {"order_id": 1})
    approval.approve([message.pk], ANNA)
    assert figures()[Metric.SKIPPED] == 1
    message.refresh_from_db()
    assert (message.status, message.reason) == (Status.SKIPPED, Reason.NO_LONGER_WANTED)


def test_two_who_become_one_get_one_draft() -> None:
    make_campaign(sending("draft"))
    first, second = enters(), enters()
    follow_merge(None, [(second.profile_id, first.profile_id)])
    found = dict(Message.objects.values_list("pk", "reason"))
    assert found == {first.pk: "", second.pk: Reason.MERGED}


def test_how_a_mail_goes_out_is_one_of_three() -> None:
    step = {"id": "mail", "kind": "send", "template": 1, "sending": "maybe"}
    found = problems({"trigger": {"event": "Signed Up"}, "steps": [step]})
    assert [problem.path for problem in found] == ["steps[0].sending"]
