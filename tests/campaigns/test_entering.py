"""People are let into a campaign by hand: what is foretold is what happens."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth.models import Permission, User
from django.test import Client
from django.utils import timezone

from campaigns import entering, publishing
from campaigns.engine.definition import parse
from campaigns.listening import REQUESTED
from campaigns.models import Campaign, Decision, Journey
from campaigns.reasons import Entry
from events.models import Event, Profile
from tests.campaigns.flow import delay, happens, make_campaign, send, settle
from tests.factories import make_profile

pytestmark = pytest.mark.django_db
ENTER = "/admin/campaigns/campaign/enter/"


def open_page(client: Client, *people: Profile, campaign: str = "") -> str:
    ids = ",".join(str(person.pk) for person in people)
    return client.get(ENTER, {"ids": ids, "campaign": campaign}).content.decode()


def let_in(client: Client, *people: Profile, key: str = "once", campaign: str = "gift") -> Any:
    ids = ",".join(str(person.pk) for person in people)
    return client.post(f"{ENTER}?ids={ids}&campaign={campaign}", {"key": key})


@pytest.mark.parametrize(
    "reentry",
    [
        {"rule": "once"},
        {"rule": "always"},
        {"rule": "period", "hours": 48},
        {"rule": "once", "by": "order_id"},
        {"rule": "period", "hours": 48, "by": "order_id"},
        {"rule": "always", "by": "order_id", "parallel": True},
        {"rule": "always", "parallel": True},
        {"rule": "once", "parallel": True},
    ],
)
def test_what_is_foretold_is_what_happens(reentry: dict[str, Any]) -> None:
    campaign = make_campaign(delay(), send(), name="Gift", reentry=reentry)
    new, inside, before, with_order = (make_profile(name) for name in ("new", "inside", "before", "with-order"))
    for person in (inside, before):
        happens(person)
    happens(with_order, properties={"order_id": "o-1"})
    settle()
    over = Journey.objects.filter(profile__in=[before, with_order])
    over.update(state="ended", due_at=None, ended_at=timezone.now())
    everybody = [new, inside, before, with_order]
    people = Profile.objects.filter(pk__in=[person.pk for person in everybody])
    foretold = entering.outlook(campaign, parse(campaign.draft).reentry, people, timezone.now())
    Decision.objects.all().delete()
    assert entering.enter(campaign, [person.pk for person in everybody], "me", "key") == 4
    settle()
    came = [Entry(decision.entry) for decision in Decision.objects.all()]
    assert foretold == {entry: came.count(entry) for entry in set(came)}


def test_whoever_entered_long_ago_may_enter_again() -> None:
    campaign = make_campaign(name="Gift", reentry={"rule": "period", "hours": 1})
    happens(make_profile())
    settle()
    Journey.objects.update(trigger_at=timezone.now() - timedelta(hours=2))
    found = entering.outlook(campaign, parse(campaign.draft).reentry, Profile.objects.all(), timezone.now())
    assert found == {Entry.ENTERED: 1}


def test_a_person_is_let_in_from_their_page(admin_client: Client) -> None:
    make_campaign(name="Gift", trigger={"kind": "request"})
    person = make_profile("ada")
    html = admin_client.get(f"/admin/events/profile/{person.pk}/change/").content.decode()
    assert f"{ENTER}?ids={person.pk}" in html
    assert "Would enter Gift" in open_page(admin_client, person, campaign="gift")
    answer = let_in(admin_client, person)
    assert answer.url == f"/admin/events/profile/{person.pk}/change/"
    settle()
    journey = Journey.objects.get(profile=person)
    assert journey.trigger == {"campaign": "gift", "reason": "hand"}
    assert Event.objects.get(name=REQUESTED).context == {"asked_by": "admin"}


def test_the_same_page_sent_twice_lets_nobody_in_twice(admin_client: Client) -> None:
    make_campaign(name="Gift", trigger={"kind": "request"}, reentry={"rule": "always"})
    people = [make_profile() for _ in range(3)]
    key = re.search(r'name="key" value="(\w+)"', open_page(admin_client, *people, campaign="gift"))
    assert key
    for _ in range(2):
        let_in(admin_client, *people, key=key[1])
    assert Event.objects.filter(name=REQUESTED).count() == 3


def test_chosen_people_lead_to_the_page(admin_client: Client) -> None:
    people = [make_profile() for _ in range(2)]
    chosen = {"action": "enter_campaign", "_selected_action": [person.pk for person in people]}
    answer = admin_client.post("/admin/events/profile/", chosen)
    assert answer.status_code == 302 and answer.headers["Location"].startswith(f"{ENTER}?ids={people[0].pk},")


def test_only_live_campaigns_are_offered(admin_client: Client) -> None:
    person = make_profile()
    assert "No campaign is live" in open_page(admin_client, person)
    campaign = make_campaign(name="Gift")
    assert 'value="gift"' in open_page(admin_client, person)
    publishing.pause(campaign)
    let_in(admin_client, person)
    assert not Event.objects.exists()


def test_the_page_says_who_would_not_enter_and_why(admin_client: Client) -> None:
    make_campaign(name="Gift", trigger={"event": "Signed Up", "where": {"trait": "plan", "is": "pro"}})
    inside, other = make_profile(traits={"plan": "pro"}), make_profile()
    happens(inside)
    settle()
    html = open_page(admin_client, inside, other, campaign="gift")
    assert Entry.NOT_AGAIN.label in html and "plan is “pro”" in html
    assert "disabled" in open_page(admin_client, inside, campaign="gift")


@pytest.mark.parametrize("missing", ["view_campaign", "add_journey", "view_profile"])
def test_it_takes_the_right_to(client: Client, missing: str) -> None:
    user = User.objects.create_user("eva", password="x", is_staff=True)
    rights = {"view_campaign", "add_journey", "view_profile"} - {missing}
    user.user_permissions.set(Permission.objects.filter(codename__in=rights))
    client.force_login(user)
    person = make_profile()
    assert client.get(ENTER, {"ids": person.pk}).status_code == 403
    assert Campaign.objects.count() == 0
    if missing != "view_profile":
        assert "enter/" not in client.get(f"/admin/events/profile/{person.pk}/change/").content.decode()
