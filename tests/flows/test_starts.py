"""Each kind of start with real processes: what happens to people, or is asked for, ends as a mail in the mailbox."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest
import requests

from campaigns.models import Journey
from events.models import Event, Pending, Segment
from messaging.models import Message
from tests import stack
from tests.campaigns.flow import make_campaign
from tests.factories import make_key

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.slow]
PATIENCE = 60


def mailed() -> Counter[tuple[str, str]]:
    """Return how many mails lie in the mailbox by person and campaign."""
    sent = Message.objects.filter(status__in=("sent", "delivered"))
    return Counter(sent.values_list("profile__user_id", "visit__journey__campaign__slug"))


def is_idle() -> bool:
    return not (
        Pending.objects.exists()
        or Journey.objects.exclude(state="ended").exists()
        or Message.objects.filter(status__in=("queued", "sending")).exists()
    )


def test_a_segment_a_trait_and_a_call_each_bring_one_mail() -> None:
    Segment.objects.create(slug="team", name="Team", condition={"trait": "seats", "gte": 5})
    make_campaign(name="Bigger", trigger={"kind": "segment", "segment": "team"})
    make_campaign(name="Upgraded", trigger={"kind": "trait", "trait": "plan", "from": "free", "to": "pro"})
    make_campaign(name="Order late", trigger={"kind": "request"}, reentry={"rule": "always"})
    key = make_key()
    with stack.running() as running:

        def post(path: str, said: dict[str, Any]) -> Any:
            answer = requests.post(f"{running.base_url}/{path}", json=said, auth=(key, ""), timeout=30)
            assert answer.status_code in (200, 202), answer.text
            return answer.json()

        def identify(user_id: str, **traits: Any) -> None:
            post("v1/identify", {"userId": user_id, "traits": {"email": f"{user_id}@example.com", **traits}})

        for user_id in ("ada", "bob"):
            identify(user_id, plan="free", seats=1)
        identify("ada", seats=5)
        identify("ada", plan="pro")
        identify("bob", plan="team")
        late = {"userId": "bob", "properties": {"order": 7}, "idempotencyKey": "order-7"}
        said = [post("api/v1/campaigns/order-late/start/", late)["results"][0]["status"] for _ in range(2)]
        assert said == ["requested", "repeated"]
        expected = {("ada", "bigger"): 1, ("ada", "upgraded"): 1, ("bob", "order-late"): 1}
        stack.wait_for(lambda: mailed() == expected, PATIENCE, "the mails")
        stack.wait_for(is_idle, PATIENCE, "the end")
        post("v1/track", {"userId": "bob", "event": "Trait Changed", "properties": {"trait": "plan", "to": "pro"}})
        post("v1/track", {"userId": "bob", "event": "Segment Entered", "properties": {"segment": "team"}})
        post("v1/track", {"userId": "bob", "event": "Campaign Start Requested", "properties": {"campaign": "bigger"}})
        stack.wait_for(lambda: Event.objects.filter(source__isnull=False, type="track").count() == 3, PATIENCE)
        stack.wait_for(is_idle, PATIENCE, "what is made up")
        assert mailed() == expected
