"""Who matches already is let in: counted before, throttled, held and cancelled, and nobody twice."""

from __future__ import annotations

import re
import time
from datetime import timedelta
from typing import Any

import pytest
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import Permission, User
from django.test import Client
from django.utils import timezone

from campaigns import intakes, publishing
from campaigns.intakes import Wanted
from campaigns.listening import REQUESTED
from campaigns.models import Campaign, Intake, Journey
from events.models import Event, Segment
from events.segments import lists
from tests.campaigns.flow import acknowledged, happens, make_campaign, settle
from tests.factories import make_profile

pytestmark = pytest.mark.django_db


def run(**later: float) -> None:
    intakes.run_due(time.monotonic() + 30, timezone.now() + timedelta(**later))
    settle()


def asked() -> list[int]:
    return sorted(Event.objects.filter(name=REQUESTED).values_list("profile_id", flat=True))


def page(campaign: Campaign) -> str:
    return f"/admin/campaigns/campaign/{campaign.pk}/intakes/"


def vips(*people: Any) -> None:
    segment = Segment.objects.create(slug="vip", name="Vip", kind="manual")
    lists.add(segment, [person.pk for person in people], quiet=True)


def test_who_is_in_the_segment_and_meets_the_conditions_is_let_in_once() -> None:
    pro, team, free = (make_profile(traits={"plan": plan, "paid": True}) for plan in ("pro", "team", "free"))
    make_profile(traits={"plan": "pro", "paid": True})
    vips(pro, team, free)
    where = {"trait": "paid", "is": True}
    campaign = make_campaign(trigger={"kind": "segment", "segment": "vip", "where": where}, reentry={"rule": "always"})
    wanted = Wanted("vip", {"not": {"trait": "plan", "is": "free"}})
    assert intakes.matching(campaign, wanted, timezone.now()).count() == 2
    assert intakes.begin(campaign, wanted, "key", "me")
    assert not intakes.begin(campaign, wanted, "key", "me")
    for _ in range(2):
        run(seconds=1)
    assert asked() == [pro.pk, team.pk]
    assert [journey.trigger["reason"] for journey in Journey.objects.all()] == ["back-populate"] * 2
    assert Intake.objects.get().state == "done"


def test_so_many_a_minute_and_no_more() -> None:
    people = [make_profile().pk for _ in range(7)]
    campaign = make_campaign(trigger={"kind": "request"})
    intakes.begin(campaign, Wanted(per_minute=24), "key", "me")
    start = timezone.now()
    for second in range(60):
        intakes.run_due(time.monotonic() + 30, start + timedelta(seconds=second))
        assert len(asked()) <= 2 + 24 * second / 60
    assert asked() == people


def test_a_paused_campaign_waits() -> None:
    person = make_profile()
    campaign = make_campaign(trigger={"kind": "request"})
    intakes.begin(campaign, Wanted(), "key", "me")
    publishing.pause(campaign)
    run(hours=100)
    assert asked() == []
    publishing.resume(campaign)
    run(hours=100)
    assert asked() == [person.pk]


def test_the_tab_counts_and_lets_in_and_history_tells(admin_client: Client) -> None:
    inside, new = make_profile(), make_profile()
    make_profile()
    vips(inside, new)
    campaign = make_campaign(name="Gift", trigger={"kind": "segment", "segment": "vip"})
    happens(inside, REQUESTED, {"campaign": "gift"})
    settle()
    html = admin_client.get(page(campaign)).content.decode()
    assert '<option value="vip" selected' in html and "Let them in" not in html
    form = {"segment": "vip", "condition": "", "per_minute": "60"}
    html = admin_client.post(page(campaign), {**form, "action": "count"}).content.decode()
    assert "1 would enter Gift" in html and "1 would not" in html
    assert not Intake.objects.exists()
    key = re.search(r'name="key" value="(\w+)"', html)
    assert key
    for _ in range(2):
        answer = admin_client.post(page(campaign), {**form, "action": "begin", "key": key[1]})
        assert answer.status_code == 302
    assert Intake.objects.get().per_minute == 60
    assert "Who matched already" in admin_client.get(page(campaign)).content.decode()
    said = [entry.get_change_message() for entry in LogEntry.objects.all()]
    assert said == ["Began to let in who matches already: who is in the segment vip, at most 60 a minute."]


def test_what_is_wrong_is_told(admin_client: Client) -> None:
    campaign = make_campaign()
    form = {"segment": "", "condition": "{", "per_minute": "0", "action": "begin"}
    answer = admin_client.post(page(campaign), form)
    assert answer.status_code == 400 and "This is not JSON" in answer.content.decode()
    assert not Intake.objects.exists()


def test_it_takes_the_right_to_let_people_in(client: Client) -> None:
    user = User.objects.create_user("eva", password="x", is_staff=True)
    user.user_permissions.set(Permission.objects.filter(codename__in=["view_campaign", "change_campaign"]))
    client.force_login(user)
    campaign = make_campaign()
    assert "Let in who matches" not in client.get(page(campaign)).content.decode()
    assert client.post(page(campaign), {"action": "begin", "segment": ""}).status_code == 403
    assert not Intake.objects.exists()


def test_publishing_leads_there_when_asked_to(admin_client: Client) -> None:
    campaign = make_campaign()
    url = f"/admin/campaigns/campaign/{campaign.pk}/publish/"
    answer = admin_client.post(url, {"reason": "Again", "matching": "1", "seen": acknowledged(campaign)})
    assert answer.headers["Location"] == page(campaign) + "#matching"
