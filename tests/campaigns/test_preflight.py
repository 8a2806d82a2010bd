"""What is worth a look before publishing is found, told with its place, and has to be acknowledged."""

from __future__ import annotations

from typing import Any

import pytest
from django.test import Client
from django.utils.text import slugify
from pytest_django import Settings

from campaigns import preflight, publishing
from campaigns.engine.definition import parse
from campaigns.models import Campaign
from campaigns.preflight.volume import ways_through
from events import catalog
from events.models import Segment
from messaging.models import FrequencyCap, Provider, SendingLimits
from tests.campaigns.flow import delay, make_campaign, make_template, send
from tests.factories import make_event, make_profile

pytestmark = pytest.mark.django_db
GOAL = {"event": "Order Completed"}


@pytest.fixture(autouse=True)
def world() -> None:
    SendingLimits.objects.create(postal_address="Acme Ltd\n1 Main Street")
    for _ in range(2):
        make_event(make_profile(), "Signed Up", {"plan": "pro", "user": {"name": "Ada"}})
        make_event(make_profile(), "Order Completed", {"total": 3})
        make_event(make_profile(), properties={"name": "Ada"}, type="identify", name="")
    catalog.learn()


def drafted(*steps: dict[str, Any], **definition: Any) -> Campaign:
    draft = {"trigger": {"event": "Signed Up"}, "goal": GOAL, "steps": list(steps) or [send()], **definition}
    name = f"Draft {Campaign.objects.count() + 1}"
    return Campaign.objects.create(name=name, slug=slugify(name), draft=draft)


def found(campaign: Campaign) -> list[tuple[str, str]]:
    return [(warning.code, warning.path) for warning in preflight.warnings(campaign)]


def branch(*ways: list[dict[str, Any]], last: bool = True) -> dict[str, Any]:
    paths = [{"id": f"p{n}", "if": {"trait": "name", "is": "Ada"}, "steps": steps} for n, steps in enumerate(ways)]
    if last:
        paths[-1].pop("if")
    return {"id": "branch", "kind": "branch", "paths": paths}


EXIT = {"id": "out", "kind": "exit"}


def test_a_good_campaign_has_nothing_worth_a_look() -> None:
    assert found(drafted(delay(), send())) == []


def test_what_cannot_be_read_yet_is_passed_over() -> None:
    assert found(drafted({"kind": "nonsense"})) == []
    assert preflight.forecast(drafted({"kind": "nonsense"})) is None


@pytest.mark.parametrize(
    ("steps", "expected"),
    [
        ([EXIT, delay()], [("unreachable", "steps[1]")]),
        ([branch([EXIT], [{**EXIT, "id": "out-2"}]), delay()], [("unreachable", "steps[1]")]),
        ([branch([EXIT], [], last=True), delay()], []),
        ([branch([EXIT], last=False), delay()], []),
        (
            [
                {
                    "id": "split",
                    "kind": "split",
                    "paths": [
                        {"id": "a", "weight": 0, "steps": [delay()]},
                        {"id": "b", "weight": 1, "steps": [EXIT]},
                    ],
                },
                delay(step_id="later"),
            ],
            [("unreachable", "steps[0].paths[0]"), ("unreachable", "steps[1]")],
        ),
        ([delay(91 * 86_400)], [("long_wait", "steps[0]")]),
        ([delay(10), {"id": "back", "kind": "goto", "to": "wait", "times": 2}], []),
        (
            [
                {"id": "set", "kind": "update", "traits": {"name": "x"}},
                {"id": "back", "kind": "goto", "to": "set", "times": 2},
            ],
            [("circle", "steps[1]")],
        ),
    ],
)
def test_steps_that_nobody_comes_to_and_circles(steps: list[dict[str, Any]], expected: list[tuple[str, str]]) -> None:
    assert found(drafted(*steps)) == expected


def test_there_should_be_a_goal_and_the_speed_of_life() -> None:
    assert found(drafted(goal=None, speed=60)) == [("no_goal", "goal"), ("speed", "speed")]


def test_a_campaign_that_starts_itself_again() -> None:
    track = {"id": "track", "kind": "track", "event": "Signed Up"}
    assert found(drafted(track)) == []
    assert found(drafted(track, reentry={"rule": "always"})) == [("circle", "steps[0]")]
    own = drafted(reentry={"rule": "always"})
    other = make_campaign({"id": "start", "kind": "start", "campaign": own.slug}, event="Order Completed")
    own.draft["steps"] = [{"id": "start", "kind": "start", "campaign": other.slug}]
    assert found(own) == [("circle", "steps[0]")]


def test_variables_that_nobody_has_ever_had() -> None:
    shown = "{{ trigger.plna }} {{ trigger.plan }} {{ event.user.name }} {{ customer.nmae }} {{ customer.email }}"
    loop = "{% assign own = 1 %}{{ own }}{% for each in trigger.plan %}{{ each.x }}{% endfor %}{{ unsubscribe_url }}"
    make_template("Odd", html=shown + loop)
    warnings = preflight.warnings(drafted(send() | {"template": make_template("Odd").pk}))
    assert [(each.code, each.path) for each in warnings] == [("variable", "steps[0].template")] * 2
    assert "{{ customer.nmae }}, which nobody has had so far" in warnings[0].message
    assert "{{ trigger.plna }}, which no “Signed Up” has had so far" in warnings[1].message
    assert "Did you mean trigger.plan?" in warnings[1].advice


def test_marketing_shows_a_way_out_and_who_sends(settings: Settings) -> None:
    settings.POSTAL_ADDRESS = ""
    SendingLimits.objects.update(postal_address=" ")
    make_template("Bare", html="Hello", purpose="marketing")
    make_template("Receipt", html="Hello", purpose="transactional")
    bare, receipt = (send(name) | {"template": make_template(name).pk} for name in ("Bare", "Receipt"))
    place = "steps[0].template"
    assert found(drafted(bare)) == [("unsubscribe", place), ("postal_address", place)]
    assert found(drafted(receipt)) == []


@pytest.mark.parametrize(
    ("sender", "codes"),
    [
        ("Ada <ada@gmail.com>", ["sender"]),
        ("hello@example.com", ["sender"]),
        ("hello@shop.test", ["sender"]),
        ("hello@mail.acme.io", []),
    ],
)
def test_a_sender_who_is_believed(sender: str, codes: list[str]) -> None:
    campaign = drafted()
    Provider.objects.update(kind="smtp", from_email=sender)
    assert [code for code, _ in found(campaign)] == codes


def test_somebody_has_to_send() -> None:
    campaign = drafted()
    Provider.objects.update(enabled=False)
    assert found(campaign) == [("provider", "steps[0].template")]
    Provider.objects.all().delete()
    assert found(campaign) == [("provider", "steps[0].template")]


def test_a_segment_in_which_nobody_is() -> None:
    Segment.objects.create(slug="vips", name="VIPs", condition={"trait": "vip", "is": True})
    inside = {"id": "b", "kind": "branch", "paths": [{"id": "p", "if": {"segment": "vips"}, "steps": [delay()]}]}
    start = {"kind": "segment", "segment": "vips"}
    codes = found(drafted(inside, trigger=start))
    assert [each for each in codes if each[0] == "empty_segment"] == [
        ("empty_segment", "trigger"),
        ("empty_segment", "steps[0]"),
    ]


def test_more_mails_than_a_cap_lets_through() -> None:
    FrequencyCap.objects.create(most=2, window_length=7, window_unit="days")
    mails = [send(f"mail-{number}") for number in range(3)]
    day = [delay(86_400, f"wait-{number}") for number in range(2)]
    week = [delay(4 * 86_400, f"wait-{number}") for number in range(2)]
    assert found(drafted(mails[0], day[0], mails[1], day[1], mails[2])) == [("cap", "steps")]
    assert found(drafted(mails[0], week[0], mails[1], week[1], mails[2])) == []
    apart = branch([mails[0], mails[1]], [mails[2]])
    assert found(drafted(apart)) == []
    FrequencyCap.objects.update(urgent_passes=True)
    assert found(drafted(*mails, priority="urgent")) == []


def test_many_branches_are_looked_at_within_bounds() -> None:
    steps = []
    for number in range(12):
        one = branch([delay(1, f"a{number}")], [delay(1, f"b{number}")])
        steps.append({**one, "id": f"branch-{number}"})
    assert len(ways_through(parse(drafted(*steps).draft))) == 64


def test_what_is_to_be_expected() -> None:
    forecast = preflight.forecast(drafted(send("one"), branch([send("two")], [])))
    assert forecast is not None and forecast.mails == 2 and forecast.people is None
    everybody = {"kind": "schedule", "repeat": "daily", "at": "09:00"}
    forecast = preflight.forecast(drafted(trigger=everybody))
    assert forecast is not None and forecast.people == 6


def test_a_warning_has_to_be_acknowledged_and_stays_with_the_version(admin_client: Client) -> None:
    campaign = drafted(goal=None)
    url = f"/admin/campaigns/campaign/{campaign.pk}/publish/"
    assert "there is no goal" in admin_client.get(url).content.decode()
    refused = admin_client.post(url, {"reason": "Because."})
    assert refused.status_code == 400 and "Not published: some are not ticked yet." in refused.content.decode()
    (warning,) = preflight.warnings(campaign)
    assert admin_client.post(url, {"reason": "Because.", "seen": warning.key}).status_code == 302
    version = campaign.versions.get()
    assert version.acknowledged == [{"path": "goal", "message": warning.message}]
    shown = admin_client.get(f"/admin/campaigns/campaign/{campaign.pk}/versions/").content.decode()
    assert "Published knowing 1 warning" in shown


def test_a_program_that_publishes_is_not_asked() -> None:
    assert publishing.publish(drafted(goal=None), None, "Because.").acknowledged == []
