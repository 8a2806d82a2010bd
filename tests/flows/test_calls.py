"""A call with real processes: the worker makes it, its answer goes into the mail."""

from __future__ import annotations

import pytest
import requests

from campaigns.models import Call, Visit
from campaigns.reasons import Outcome
from messaging.models import MessageBody
from tests import stack
from tests.campaigns.flow import make_campaign, make_template
from tests.campaigns.test_calling import receiving
from tests.factories import make_key

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.slow]
PATIENCE = 30


def test_an_answer_stands_in_the_mail_and_a_refusal_holds_nobody_up() -> None:
    body = "<p>{{ journey.answers.crm.tier }}</p><a href='{{ unsubscribe_url }}'>Leave</a>"
    mail = {"id": "mail", "kind": "send", "template": make_template("Tier", html=body).pk}
    with receiving() as receiver, stack.running(CALLS_TO_PRIVATE_ADDRESSES="true") as running:
        receiver.answers = [(503, b""), (200, b'{"tier": "gold"}'), (404, b"")]
        call = {"id": "crm", "kind": "call", "url": receiver.url, "method": "GET", "seconds": 600}
        make_campaign(call, {**call, "id": "other"}, mail)
        batch = [
            {"type": "identify", "userId": "ada", "traits": {"email": "ada@example.com"}},
            {"type": "track", "userId": "ada", "event": "Signed Up"},
        ]
        key = make_key()
        answer = requests.post(f"{running.base_url}/v1/batch", json={"batch": batch}, auth=(key, ""), timeout=30)
        assert answer.status_code == 200, answer.text
        stack.wait_for(lambda: MessageBody.objects.exists(), PATIENCE, "the mail")
    assert "gold" in MessageBody.objects.get().html
    assert dict(Visit.objects.filter(step_id__in=["crm", "other"]).values_list("step_id", "outcome")) == {
        "crm": Outcome.ANSWERED,
        "other": Outcome.CALL_FAILED,
    }
    assert Call.objects.get(step_id="crm").attempts == 2
