"""People are let into a campaign by API: who, once, and what is said of who is not."""

from __future__ import annotations

from typing import Any

import pytest
from django.db import connection
from django.http import HttpResponse
from django.test import Client
from django.test.utils import CaptureQueriesContext

from campaigns import publishing
from campaigns.listening import REQUESTED
from campaigns.models import Campaign, Decision, Journey
from events.models import ApiToken, Event, Identity, SourceKey, hash_key, new_key
from tests.campaigns.flow import make_campaign, settle
from tests.factories import make_key, make_profile, make_source

pytestmark = pytest.mark.django_db


@pytest.fixture
def campaign() -> Campaign:
    return make_campaign(name="Win back", trigger={"kind": "request"})


def token(*scopes: str) -> str:
    text = new_key("token")
    ApiToken.objects.create(label="Orders", key_hash=hash_key(text), scopes=list(scopes))
    return text


def start(said: Any, key: str = "", slug: str = "win-back", **headers: str) -> Any:
    bearer = {"Authorization": f"Bearer {key or make_key()}", **headers}
    return Client().post(f"/api/v1/campaigns/{slug}/start/", said, content_type="application/json", headers=bearer)


def refusal(answer: HttpResponse) -> tuple[int, str, str]:
    said = answer.json()
    return answer.status_code, said["code"], said["field"]


def test_a_start_reaches_the_campaign_with_what_was_said(campaign: Campaign) -> None:
    person = make_profile("ada")
    answer = start({"userId": "ada", "properties": {"order": {"total": 12.5}, "size": 3}})
    assert (answer.status_code, answer.json()) == (
        202,
        {
            "campaign": "win-back",
            "requested": 1,
            "repeated": 0,
            "refused": 0,
            "results": [{"index": 0, "status": "requested"}],
        },
    )
    settle()
    journey = Journey.objects.get(campaign=campaign, profile=person)
    assert journey.trigger == {"order": {"total": 12.5}, "size": 3, "campaign": "win-back", "reason": "api"}
    event = Event.objects.get(name=REQUESTED)
    assert event.source is None and event.context["asked_by"].startswith("source")


@pytest.mark.parametrize("said", [{"userId": "ada"}, {"anonymousId": "visitor"}, {"email": "Ada@Example.com"}])
def test_people_are_named_by_any_of_their_ids(campaign: Campaign, said: dict[str, str]) -> None:
    person = make_profile("ada", email="ada@example.com")
    Identity.objects.create(kind=Identity.Kind.ANONYMOUS, value="visitor", profile=person)
    assert start(said).json()["requested"] == 1
    assert Event.objects.get(name=REQUESTED).profile_id == person.pk


def test_a_key_that_is_repeated_starts_nothing_again(campaign: Campaign) -> None:
    make_profile("ada")
    campaign.draft["reentry"] = {"rule": "always"}
    campaign.save()
    publishing.publish(campaign, None, "Again and again")
    said = {"userId": "ada", "idempotencyKey": "order-1"}
    assert [start(said).json()["results"][0]["status"] for _ in range(2)] == ["requested", "repeated"]
    assert start({**said, "idempotencyKey": "order-2"}).json()["requested"] == 1
    assert Event.objects.filter(name=REQUESTED).count() == 2


def test_a_key_of_a_list_holds_for_each_of_its_people(campaign: Campaign) -> None:
    make_profile("ada")
    make_profile("bob")
    assert start({"people": [{"userId": "ada"}], "idempotencyKey": "run-7"}).json()["requested"] == 1
    again = start({"people": [{"userId": "bob"}, {"userId": "ada"}], "idempotencyKey": "run-7"}).json()
    assert [each["status"] for each in again["results"]] == ["requested", "repeated"]


def test_of_a_list_those_who_can_be_are_let_in_and_each_other_is_told_why(campaign: Campaign) -> None:
    make_profile("ada")
    answer = start(
        {
            "properties": {"offer": "spring", "size": 1},
            "people": [
                {"userId": "ada", "properties": {"size": 2}},
                {"userId": "nobody"},
                {},
                {"userId": "ada", "email": "a@example.com"},
                "ada",
                {"userId": "ada", "properties": {"reason": "mine"}},
                {"userId": "ada", "proprties": {}},
                {"userId": ["ada"]},
                {"userId": "ada", "properties": 3},
                {"userId": "ada", "idempotencyKey": "k" * 300},
                {"userId": "sandbox:ada"},
            ],
        }
    )
    assert answer.status_code == 202
    said = answer.json()
    assert (said["requested"], said["refused"]) == (1, 10)
    assert [(each["code"], each["field"]) for each in said["results"][1:]] == [
        ("unknown_person", "people[1].userId"),
        ("missing_field", "people[2].userId"),
        ("invalid_value", "people[3].userId"),
        ("invalid_value", "people[4]"),
        ("invalid_value", "people[5].properties.reason"),
        ("unknown_field", "people[6].proprties"),
        ("invalid_value", "people[7].userId"),
        ("invalid_value", "people[8].properties"),
        ("invalid_value", "people[9].idempotencyKey"),
        ("invalid_value", "people[10].userId"),
    ]
    assert Event.objects.get(name=REQUESTED).properties["size"] == 2
    assert Event.objects.get(name=REQUESTED).properties["offer"] == "spring"


@pytest.mark.parametrize(
    ("said", "code", "field"),
    [
        ("[]", "invalid_value", "body"),
        ("{", "invalid_json", "body"),
        ({}, "missing_field", "userId"),
        ({"userId": "nobody"}, "unknown_person", "userId"),
        ({"people": []}, "too_many", "people"),
        ({"people": "ada"}, "invalid_value", "people"),
        ({"people": [{"userId": "ada"}] * 1_001}, "too_many", "people"),
        ({"people": [{"userId": "ada"}], "userId": "ada"}, "unknown_field", "userId"),
        ('{"userId": "ada", "properties": {"a": 1e999}}', "invalid_value", "properties.a"),
    ],
)
def test_a_call_that_makes_no_sense_is_refused_by_its_field(
    campaign: Campaign, said: Any, code: str, field: str
) -> None:
    make_profile("ada")
    assert refusal(start(said)) == (400, code, field)
    assert not Event.objects.exists()


def test_only_a_live_campaign_lets_anybody_in(campaign: Campaign) -> None:
    make_profile("ada")
    publishing.pause(campaign)
    assert refusal(start({"userId": "ada"})) == (409, "conflict", "campaign")
    assert start({"userId": "ada"}, slug="nothing").status_code == 404
    assert not Event.objects.exists()


def test_it_takes_a_secret_key_or_a_token_that_may(campaign: Campaign) -> None:
    make_profile("ada")
    said = {"userId": "ada"}
    assert start(said, token("campaigns:write")).status_code == 202
    assert Event.objects.get(name=REQUESTED).context == {"asked_by": "token Orders"}
    assert start(said, token("*")).status_code == 202
    assert refusal(start(said, token("profiles:write"))) == (403, "missing_scope", "Authorization")
    public = make_key(make_source(), SourceKey.Kind.PUBLIC)
    assert refusal(start(said, public)) == (403, "secret_key_needed", "Authorization")
    assert refusal(start(said, make_key(), Origin="https://shop.example"))[:2] == (403, "secret_key_in_browser")
    assert start(said, "nonsense").status_code == 401


def test_a_sandbox_reaches_its_own_people_only(campaign: Campaign) -> None:
    make_profile("ada")
    source = make_source()
    source.is_sandbox = True
    source.save()
    key = make_key(source)
    assert refusal(start({"userId": "ada"}, key))[1] == "unknown_person"
    apart = make_profile("sandbox:ada", is_sandbox=True, is_test=True)
    assert start({"userId": "ada"}, key).status_code == 202
    assert Event.objects.get(name=REQUESTED).profile_id == apart.pk


def test_conditions_and_rules_of_entry_hold_and_say_why_not() -> None:
    make_campaign(name="Win back", trigger={"kind": "request", "where": {"property": "size", "gt": 2}})
    make_profile("ada")
    for size in (1, 3, 4):
        start({"userId": "ada", "properties": {"size": size}})
    settle()
    assert sorted(decision.entry for decision in Decision.objects.all()) == ["already_in", "entered", "filtered"]


def test_the_number_of_statements_does_not_grow_with_the_list(campaign: Campaign) -> None:
    for number in range(60):
        make_profile(f"user-{number}", email=f"user-{number}@example.com")
    key = token("campaigns:write")

    def statements(number: int) -> int:
        named = [{"userId": f"user-{one}"} for one in range(number)]
        named += [{"email": f"user-{one}@example.com"} for one in range(number)]
        with CaptureQueriesContext(connection) as context:
            assert start({"people": named, "idempotencyKey": f"of {number}"}, key).status_code == 202
        return len(context)

    statements(1)
    assert statements(2) == statements(60)
