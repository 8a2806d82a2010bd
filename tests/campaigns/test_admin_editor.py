"""The workflow editor, used as a browser uses it: the form it shows is the form that is sent."""

from __future__ import annotations

import copy
import html
import json
import re
from typing import Any

import pytest
from django.contrib.auth.models import Permission, User
from django.test import Client

from campaigns.admin import draft as drafts
from campaigns.engine.definition import problems
from campaigns.models import Campaign, Journey
from events.models import Segment
from messaging.models import Topic
from tests.campaigns.flow import acknowledged, happens, make_campaign, make_template, send, settle
from tests.campaigns.form import EditorPage
from tests.factories import make_profile, planned

pytestmark = pytest.mark.django_db

FULL: dict[str, Any] = {
    "trigger": {
        "event": "Visited Pricing Page",
        "where": {"any": [{"property": "spent", "gt": 30}, {"trait": "a", "is": "1"}]},
    },
    "reentry": {"rule": "period", "hours": 12},
    "steps": [
        {"id": "wait", "kind": "delay", "name": "Wait an hour", "seconds": 5400},
        {"id": "hours", "kind": "window", "name": "", "days": [0, 2, 6], "start": "09:00", "end": "17:30"},
        {
            "id": "check",
            "kind": "branch",
            "name": "Pro?",
            "paths": [
                {
                    "id": "yes",
                    "name": "Pro",
                    "if": {"not": {"trait": "plan", "is": "free"}},
                    "steps": [{"id": "done", "kind": "exit", "name": ""}],
                },
                {"id": "big", "name": "Big", "if": {"trait": "seats", "gte": 10}, "steps": []},
                {"id": "else", "name": "Everybody else", "steps": []},
            ],
        },
    ],
    "goal": {"event": "Order Completed", "where": {"property": "total", "gt": 1.5}, "hours": 48},
    "time_zone": "Europe/Vienna",
    "speed": 60,
}


@pytest.fixture
def browser(client: Client) -> Client:
    client.force_login(User.objects.create_superuser("admin"))
    return client


def make_draft(definition: dict[str, Any] | None = None) -> Campaign:
    return Campaign.objects.create(name="Try", slug="try", draft=copy.deepcopy(definition or FULL))


def new_draft() -> Campaign:
    return Campaign.objects.create(name="New", slug="new", draft=drafts.empty())


def errors(page: EditorPage) -> str:
    """The text of every error on the page."""
    found = re.findall(r'class="cb-error[^"]*"[^>]*>(.*?)</p>', page.html, re.DOTALL)
    return " ".join(" ".join(found).split())


def test_saving_without_a_change_leaves_the_draft_as_it_is(browser: Client) -> None:
    template = make_template()
    definition = copy.deepcopy(FULL)
    definition["steps"].append({"id": "mail", "kind": "send", "name": "", "template": template.pk})
    campaign = make_draft(definition)
    page = EditorPage(browser, campaign).press()
    assert page.draft == definition
    assert "Saved." in page.html and not errors(page)


def test_the_cards_say_in_words_what_the_workflow_does(browser: Client) -> None:
    html = EditorPage(browser, make_draft()).html
    for words in (
        "Visited Pricing Page, if the event’s spent is more than 30 or a is “1”",
        "At most once in 12 hours",
        "Wait 1 hour 30 minutes (1 minute 30 seconds at this campaign’s speed ×60)",
        "Go on only Mon, Wed, Sun 09:00–17:30 in the person’s time zone",
        "If seats is at least 10",
        "Order Completed, if the event’s total is more than 1.5, within 2 days of entering",
    ):
        assert words in html


def test_every_field_can_be_changed(browser: Client) -> None:
    template = make_template("Other")
    campaign = make_draft({**FULL, "steps": [*FULL["steps"], {"id": "mail", "kind": "send", "template": None}]})
    page = EditorPage(browser, campaign).fill(
        {
            "trigger-event": "Signed Up",
            "reentry-rule": "always",
            "reentry-by": "order_id",
            "reentry-parallel": "yes",
            "step-wait-amount": "2",
            "step-wait-unit": "days",
            "step-wait-name": "Two days",
            "step-hours-days": ["5", "6"],
            "step-hours-start": "22:00",
            "step-hours-end": "02:00",
            "path-check/big-label": "Large",
            "path-check/big-condition": '{"trait": "seats", "gte": 25}',
            "step-mail-template": str(template.pk),
            "goal-hours": "24",
            "settings-time_zone": "Asia/Tokyo",
            "settings-speed": "1",
        }
    )
    page.press()
    draft = page.draft
    wait, hours, check, mail = draft["steps"]
    assert draft["trigger"]["event"] == "Signed Up" and draft["reentry"] == {
        "rule": "always",
        "hours": 12,
        "by": "order_id",
        "parallel": True,
    }
    assert (wait["seconds"], wait["name"]) == (172_800, "Two days")
    assert (hours["days"], hours["start"], hours["end"]) == ([5, 6], "22:00", "02:00")
    assert check["paths"][1]["name"] == "Large" and check["paths"][1]["if"] == {"trait": "seats", "gte": 25}
    assert mail["template"] == template.pk
    assert (draft["goal"]["hours"], draft["time_zone"], draft["speed"]) == (24, "Asia/Tokyo", 1)
    assert not problems(draft)


def test_a_workflow_is_built_from_nothing_and_published(browser: Client) -> None:
    template = make_template()
    campaign = new_draft()
    page = EditorPage(browser, campaign)
    assert "Choose what" in page.html
    page.fill({"trigger-event": "Signed Up", "step-mail-template": str(template.pk)})
    page.press("add:delay:0:").fill({"step-wait-amount": "1", "step-wait-unit": "hours"})
    page.press("add:branch:1:")
    page.fill({"path-split/path-condition": '{"trait": "plan", "is": "pro"}'})
    page.press("add:exit:0:split/path")
    page.press("done:step-split")
    assert [step["id"] for step in page.draft["steps"]] == ["wait", "split", "mail"]
    path = page.draft["steps"][1]["paths"][0]
    assert path["if"] == {"trait": "plan", "is": "pro"} and path["steps"][0]["kind"] == "exit"
    assert not problems(page.draft)
    campaign.refresh_from_db()
    said = {"reason": "Because", "seen": acknowledged(campaign)}
    answer = browser.post(f"/admin/campaigns/campaign/{campaign.pk}/publish/", said)
    assert answer.status_code == 302
    campaign.refresh_from_db()
    assert campaign.status == Campaign.Status.LIVE


def test_waits_of_all_sorts_and_a_split_by_chance_are_built_and_read_back(browser: Client) -> None:
    page = EditorPage(browser, new_draft())
    page.press("add:delay:0:").fill({"step-wait-amount": "1", "step-wait-most": "1.5", "step-wait-unit": "hours"})
    page.press("add:until-day:1:").fill({"step-day-days_of_week": ["0", "3"], "step-day-at": "18:30"})
    page.press("add:until-date:2:")
    page.fill({"step-date-trait": "renews_at", "step-date-days": "14", "step-date-side": "before", "step-date-at": ""})
    page.press("add:split:3:").fill({"path-chance/a-weight": "9", "path-chance/b-weight": "1"})
    page.press("add:exit:0:chance/b").press()
    wait, day, date, chance = page.draft["steps"][:4]
    assert (wait["seconds"], wait["most"]) == (3600, 5400)
    assert day["until"] == {"days_of_week": [0, 3], "at": "18:30"}
    assert date["until"] == {"trait": "renews_at", "days": -14, "at": ""}
    assert [(path["weight"], len(path["steps"])) for path in chance["paths"]] == [(9, 0), (1, 1)]
    assert page.value("step-date-days") == "14" and page.value("step-wait-most") == "90"
    for said in ("Wait 1 hour to 1 hour 30 minutes", "14 days before the person’s renews_at", "90 % of all people"):
        assert said in page.html
    assert {problem.path for problem in problems(page.draft)} == {"trigger.event", "steps[4].template"}
    assert page.press().draft["steps"][:4] == [wait, day, date, chance]


def test_waits_for_events_and_steps_that_act_are_built_and_read_back(browser: Client) -> None:
    page = EditorPage(browser, new_draft())
    page.press("add:wait-event:0:").fill(
        {
            "step-heard-event": "Order Paid",
            "step-heard-same": "order.id",
            "step-heard-amount": "3",
            "step-heard-unit": "days",
        }
    )
    page.fill({"step-heard-condition": '{"property": "total", "gt": 5}'})
    page.press("add:wait-condition:1:").fill({"step-until-condition": '{"trait": "plan", "is": "pro"}'})
    page.press("add:quiet:2:").fill({"step-quiet-event": "Viewed", "step-quiet-amount": "5", "step-quiet-limit": "60"})
    page.press("add:limit:3:").fill({"step-pace-number": "10", "step-pace-amount": "2", "step-pace-unit": "minutes"})
    page.press("add:update:4:").fill(
        {"step-traits-traits": 'stage: {{ trigger.stage }}\nlevel: 3\nold: null\ncode: "7"'}
    )
    page.press("add:track:5:").fill({"step-track-event": "Greeted", "step-track-properties": "a: [1, 2]\nb: x: y"})
    page.press("add:goto:6:").fill({"step-back-to": "quiet", "step-back-times": "3"}).press()
    heard, until, quiet, pace, traits, track, back = page.draft["steps"][:7]
    assert (heard["event"], heard["same"], heard["seconds"]) == ("Order Paid", "order.id", 259_200)
    assert heard["where"] == {"property": "total", "gt": 5} and "since" not in heard
    assert until["if"] == {"trait": "plan", "is": "pro"} and until["seconds"] == 86_400
    assert (quiet["seconds"], quiet["most"]) == (300, 3_600)
    assert (pace["number"], pace["seconds"]) == (10, 120)
    assert traits["traits"] == {"stage": "{{ trigger.stage }}", "level": 3, "old": None, "code": "7"}
    assert track["properties"] == {"a": [1, 2], "b": "x: y"}
    assert (back["to"], back["times"]) == ("quiet", 3)
    for said in (
        "Wait for Order Paid with the same order.id, if the event’s total is more than 5, at most 3 days",
        "Wait until plan is “pro”, at most 1 day",
        "no Viewed for 5 minutes, at most 1 hour",
        "At most 10 people in 2 minutes; the others wait their turn",
        "Set stage to “{{ trigger.stage }}”, level to “3”, old away …",
        "Go back to “quiet”, at most 3 times; then go on",
    ):
        assert said in html.unescape(page.html), said
    assert {problem.path for problem in problems(page.draft)} == {"trigger.event", "steps[7].template"}
    assert page.press().draft["steps"][:7] == [heard, until, quiet, pace, traits, track, back]
    page.press("add:exit:0:heard/met").press("remove:quiet")
    assert "Back to: must be a step that comes before this one; quiet is not" in errors(page)


def test_topics_and_campaigns_are_chosen_among_those_there_are(browser: Client) -> None:
    Topic.objects.create(slug="news", name="Weekly news")
    Campaign.objects.create(name="Win back", slug="winback", draft={})
    campaign = new_draft()
    page = EditorPage(browser, campaign).press("add:subscribe:0:").press("add:start:1:")
    assert "Topic: choose the topic" in errors(page) and "Campaign: choose the campaign to start" in errors(page)
    page.fill({"step-topic-topic": "news", "step-topic-subscribed": "False"})
    page.fill({"step-start-campaign": "winback", "step-start-properties": "size: {{ trigger.size }}"}).press()
    topic, start = page.draft["steps"][:2]
    assert (topic["topic"], topic["subscribed"]) == ("news", False)
    assert (start["campaign"], start["properties"]) == ("winback", {"size": "{{ trigger.size }}"})
    assert "Unsubscribe from the topic “Weekly news”" in page.html
    assert "Let the person into the campaign “Win back”" in page.html
    Topic.objects.all().delete()
    page.press()
    assert page.draft["steps"][0] == topic and "Topic: there is no topic news" in errors(page)


def test_a_call_is_built_and_read_back(browser: Client) -> None:
    page = EditorPage(browser, new_draft()).press("add:call:0:")
    assert "Address: write the address to call" in errors(page)
    body = '{"a": {{ trigger | json }}}'
    page.fill({"step-call-url": "https://crm.example.com/hook", "step-call-body": body, "step-call-method": "PUT"})
    page.fill(
        {"step-call-headers": "X-Key: 7\nX-Name: Ada", "step-call-amount": "5", "step-call-unit": "minutes"}
    ).press()
    call = page.draft["steps"][0]
    assert (call["url"], call["body"], call["method"]) == ("https://crm.example.com/hook", body, "PUT")
    assert (call["headers"], call["seconds"]) == ({"X-Key": "7", "X-Name": "Ada"}, 300)
    assert "PUT https://crm.example.com/hook, tried for 5 minutes" in page.html
    assert page.press().draft["steps"][0] == call
    page.fill({"step-call-url": "ftp://example.com"}).press()
    assert "Address: must begin with https:// or http:// and name a host" in errors(page)


def test_mistakes_of_new_steps_stand_beside_their_fields(browser: Client) -> None:
    page = EditorPage(browser, new_draft())
    page.press("add:until-date:0:").press("add:split:0:").press("add:delay:0:")
    page.fill({"path-chance/a-weight": "half", "path-chance/b-weight": "0"})
    page.fill({"step-wait-amount": "3", "step-wait-most": "2"}).press()
    assert "Share: Enter a whole number." in errors(page)
    assert page.value("path-chance/a-weight") == "half" and page.draft["steps"][1]["paths"][0]["weight"] == 50
    assert "Trait that holds the date: must be the name of a trait or property" in errors(page)
    assert "At most (optional): must be a whole number from 259,200" in errors(page)


def test_how_a_mail_goes_out_is_chosen_and_said(browser: Client) -> None:
    template = make_template()
    page = EditorPage(browser, new_draft())
    assert page.value("step-mail-sending") == "automatic"
    page.fill({"step-mail-template": str(template.pk), "step-mail-sending": "draft"}).press()
    assert page.draft["steps"][0]["sending"] == "draft"
    assert "Send “Hello” once somebody has approved it" in page.html
    assert "The journey goes on meanwhile" in page.html
    page.fill({"step-mail-sending": "never"}).press()
    assert page.draft["steps"][0]["sending"] == "never" and "Note “Hello”, and send nothing" in page.html
    page.fill({"step-mail-sending": "automatic"}).press()
    assert "sending" not in page.draft["steps"][0]
    assert "step-mail-sending" in page.fields and "Send “Hello”" in page.html


def test_a_wrong_value_names_its_field_and_loses_nothing_else(browser: Client) -> None:
    page = EditorPage(browser, make_draft())
    page.fill({"step-wait-amount": "soon", "step-hours-name": "At work", "settings-time_zone": "Atlantis"})
    page.press("down:wait")
    assert "Wait: Enter a number." in errors(page)
    assert "Time zone for people whose own is unknown: Atlantis is not a time zone" in errors(page)
    assert page.value("step-wait-amount") == "soon" and page.value("settings-time_zone") == "Atlantis"
    draft = page.draft
    assert [step["id"] for step in draft["steps"]] == ["hours", "wait", "check"]
    assert draft["steps"][0]["name"] == "At work"
    assert draft["steps"][1]["seconds"] == 5400 and draft["time_zone"] == "Europe/Vienna"


def test_a_wrong_condition_keeps_the_stored_one(browser: Client) -> None:
    page = EditorPage(browser, make_draft())
    typed = '{"property": "spent", "gt": "many"}'
    page.fill({"trigger-condition": typed}).press()
    assert "gt: must be a number" in errors(page) and "except for what is marked" in page.html
    assert page.value("trigger-condition") == typed
    assert page.draft["trigger"] == FULL["trigger"]
    assert "This is not JSON" in errors(page.fill({"trigger-condition": "{"}).press())
    deep = '{"not": ' * 5000 + "1" + "}" * 5000
    assert "The condition is nested too deeply" in errors(page.fill({"trigger-condition": deep}).press())


def test_what_the_engine_misses_stands_beside_the_field(browser: Client) -> None:
    page = EditorPage(browser, new_draft())
    assert "Event: choose the event that starts this campaign" in errors(page)
    assert "Template: choose the template to send" in errors(page)
    assert "2 things to do before this can be published" in page.html


@pytest.mark.parametrize("key", ["trigger-condition", "path-check/yes-condition", "goal-condition"])
def test_a_condition_is_stored_where_it_was_typed_and_taken_away_again(browser: Client, key: str) -> None:
    page = EditorPage(browser, make_draft())
    tree = {"not": {"any": [{"trait": "plan", "is": "team"}, {"event": "Order Completed", "count": {"gte": 3}}]}}
    page.fill({key: json.dumps(tree)}).press()
    assert json.loads(page.value(key)) == tree
    where = {
        "trigger-condition": lambda draft: draft["trigger"]["where"],
        "path-check/yes-condition": lambda draft: draft["steps"][2]["paths"][0]["if"],
        "goal-condition": lambda draft: draft["goal"]["where"],
    }[key]
    assert where(page.draft) == tree
    page.fill({key: ""}).press()
    assert where(page.draft) is None


def test_a_condition_is_said_in_words_and_has_a_builder_that_knows_the_event(browser: Client) -> None:
    html = EditorPage(browser, make_draft()).html
    assert "the event’s spent is more than 30 or a is “1”" in html
    assert html.count('event-field="trigger-event"') == 3 and html.count('event-field="goal-event"') == 1


def test_a_kind_of_step_the_page_does_not_know_is_kept_and_moved(browser: Client) -> None:
    strange = {"id": "call", "kind": "telephone", "number": "+43"}
    page = EditorPage(browser, make_draft({"steps": [strange, {"id": "end", "kind": "exit", "name": ""}]}))
    assert "telephone" in page.html
    assert page.press("down:call").draft["steps"][1] == strange


def test_step_ids_of_published_versions_are_not_given_again(browser: Client) -> None:
    campaign = make_campaign(send("mail"))
    page = EditorPage(browser, campaign).press("remove:mail").press("add:send:0:")
    assert page.draft["steps"][0]["id"] == "mail-2"


def test_removing_the_goals_event_removes_the_goal(browser: Client) -> None:
    page = EditorPage(browser, make_draft()).fill({"goal-event": ""}).press()
    assert page.draft["goal"] is None


# --- Who leaves early ---

RULES: list[dict[str, Any]] = [
    {"when": "event", "event": "Order Completed", "where": {"property": "total", "gt": 5}, "same": ["order", "id"]},
    {"when": "condition", "if": {"trait": "plan", "is": "pro"}},
    {"when": "unmatched"},
    {"when": "unsubscribe"},
]


def test_rules_of_who_leaves_early_are_built_and_read_back(browser: Client) -> None:
    page = EditorPage(browser, make_draft())
    assert "Nobody: everybody goes on to the end" in page.html and "exits" not in page.draft
    page.press("add-exit:event")
    assert 'data-focus="exit-0"' in page.html and 'data-card="exits" open' in page.html
    assert "Event that ends the journey: choose the event that ends the journey" in errors(page)
    page.fill({"exit-0-event": "Order Completed", "exit-0-same": "order_id"})
    page.fill({"exit-0-condition": '{"property": "total", "gt": 5}'})
    page.press("add-exit:condition")
    assert "say what ends the journey" in errors(page)
    page.fill({"exit-1-condition": '{"trait": "plan", "is": "pro"}'})
    page.press("add-exit:unmatched").press("add-exit:unsubscribe").press("done:exits")
    event, *others = RULES
    assert page.draft["exits"] == [{**event, "same": "order_id"}, *others]
    assert not problems({**page.draft, "exits": page.draft["exits"]})
    said = html.unescape(page.html)
    assert (
        "A journey ends when Order Completed with the same order_id, if the event’s total is more than 5 comes" in said
    )
    assert "as soon as plan is “pro”; when they no longer meet the conditions to enter; when they unsubscribe" in said
    assert 'event-field="exit-0-event"' in page.html
    assert 'value="add-exit:event"' in page.html and 'value="add-exit:unsubscribe"' not in page.html


def test_rules_of_who_leaves_early_stay_as_they_are_where_nothing_is_typed(browser: Client) -> None:
    strange = {"when": "bored", "after": 3}
    page = EditorPage(browser, make_draft({**FULL, "exits": [*RULES, strange]})).press()
    assert page.draft["exits"] == [*RULES, strange]
    assert "a rule that this page cannot show" in page.html and "must be one of event, condition" in errors(page)
    page.press("remove-exit:9").press("remove-exit:x").press("add-exit:bored").press("add-exit:unmatched")
    assert page.draft["exits"] == [*RULES, strange]


def test_a_rule_of_who_leaves_early_is_taken_away_and_what_is_wrong_behind_it_stays_on_the_page(
    browser: Client,
) -> None:
    page = EditorPage(browser, make_draft({**FULL, "exits": RULES[:2]}))
    page.fill({"exit-1-condition": '{"trait": "plan", "gt": "many"}'}).press("remove-exit:0")
    assert page.draft["exits"] == [RULES[1]]
    assert page.value("exit-0-condition") == '{"trait": "plan", "gt": "many"}' and "gt: must be a number" in errors(
        page
    )
    assert "exit-1-condition" not in page.fields
    page.press("remove-exit:0")
    assert "exits" not in page.draft and 'data-focus="exits"' in page.html


def test_a_rule_that_can_never_come_true_says_so_at_its_place(browser: Client) -> None:
    page = EditorPage(browser, new_draft()).press("add-exit:unmatched")
    assert "can never come true: the trigger has no conditions" in errors(page)
    assert 'data-opens="exits">Who leaves early</a>' in page.html
    answer = browser.post(page.url, {**page.fields, "action": "add-exit:event"})
    assert answer["Location"] == f"{page.url}?open=exit-1#exit-1"
    assert 'data-card="exits" open' in browser.get(f"{page.url}?open=exit-1").content.decode()


# --- Two editors ---


def test_two_editors_do_not_overwrite_each_other_silently(browser: Client) -> None:
    campaign = make_draft()
    mine, theirs = EditorPage(browser, campaign), EditorPage(browser, campaign)
    theirs.fill({"trigger-event": "Theirs"}).press()
    mine.fill({"step-wait-name": "Mine"}).press("remove:hours")
    assert "somebody else has changed this workflow" in mine.html
    assert mine.draft["trigger"]["event"] == "Theirs"
    assert mine.value("step-wait-name") == "Mine" and "step-hours-name" not in mine.fields
    mine.press("overwrite")
    assert mine.draft["trigger"]["event"] == FULL["trigger"]["event"]
    assert [step["name"] for step in mine.draft["steps"]] == ["Mine", "Pro?"]
    assert "somebody else" not in mine.press().html


def test_one_editor_goes_on_saving(browser: Client) -> None:
    page = EditorPage(browser, make_draft())
    for action in ("down:wait", "add:send:0:", "up:wait", "remove:hours"):
        assert "somebody else" not in page.press(action).html


# --- Without JavaScript, without the right, with figures ---


def test_names_are_offered_from_the_tracking_plan(browser: Client) -> None:
    planned("Trial Started")
    assert '<option value="Trial Started">' in EditorPage(browser, make_draft()).html


def test_without_javascript_a_button_leads_back_to_the_card(browser: Client) -> None:
    page = EditorPage(browser, make_draft())
    answer = browser.post(page.url, {**page.fields, "action": "add:send:0:"})
    assert answer.status_code == 302 and answer["Location"] == f"{page.url}?open=step-mail#step-mail"
    assert page.draft["steps"][0]["id"] == "mail"


def test_without_javascript_a_wrong_value_is_shown_at_once(browser: Client) -> None:
    page = EditorPage(browser, make_draft())
    answer = browser.post(page.url, {**page.fields, "step-wait-amount": "soon"})
    assert answer.status_code == 200 and "Enter a number" in answer.content.decode()


def test_whoever_may_only_look_cannot_change(client: Client) -> None:
    user = User.objects.create_user("looker", is_staff=True)
    user.user_permissions.add(Permission.objects.get(codename="view_campaign"))
    client.force_login(user)
    campaign = make_draft()
    page = EditorPage(client, campaign)
    assert "You may look at this workflow" in page.html and 'value="add:' not in page.html
    assert client.post(page.url, {**page.fields, "action": "remove:wait"}).status_code == 403
    assert page.draft == FULL


def test_the_canvas_shows_figures_of_the_live_version(browser: Client) -> None:
    campaign = make_campaign({"id": "wait", "kind": "delay", "seconds": 3600}, send())
    for _ in range(3):
        happens(make_profile(email="ada@example.com"))
    happens(make_profile(email="test@example.com", is_test=True))
    settle()
    figures = dict(
        re.findall(r"<dt>([a-z ]+)</dt><dd>(.*?)</dd>", EditorPage(browser, campaign).html.split("step-mail")[0])
    )
    assert figures == {"reached": "3", "waiting now": "3"}


def test_waiting_people_are_counted_only_so_far(browser: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("campaigns.admin.workflow.WAITING_LIMIT", 2)
    campaign = make_campaign({"id": "wait", "kind": "delay", "seconds": 3600})
    for _ in range(3):
        happens(make_profile())
    settle()
    assert Journey.objects.count() == 3
    assert "<dt>waiting now</dt><dd>2+</dd>" in EditorPage(browser, campaign).html


def test_the_page_asks_as_much_for_many_journeys_as_for_one(
    browser: Client, django_assert_max_num_queries: Any
) -> None:
    campaign = make_campaign({"id": "wait", "kind": "delay", "seconds": 3600}, send())
    for _ in range(30):
        happens(make_profile())
    settle()
    with django_assert_max_num_queries(20):
        EditorPage(browser, campaign)


def test_another_kind_of_start_brings_its_own_fields_and_keeps_the_limits(browser: Client) -> None:
    Segment.objects.create(slug="vip", name="Very important", condition={"trait": "plan", "is": "vip"})
    page = EditorPage(browser, make_draft()).fill({"trigger-kind": "segment", "trigger-max_age_hours": "24"})
    page.press()
    where = FULL["trigger"]["where"]
    page.fill({"trigger-segment": "vip", "trigger-moved": "left", "trigger-max_age_hours": "24"}).press("kind")
    assert page.draft["trigger"] == {
        "kind": "segment",
        "segment": "vip",
        "moved": "left",
        "where": where,
        "max_age_hours": 24,
    }
    assert "Somebody leaves the segment “Very important”" in page.html and 'data-focus="trigger"' in page.html
    assert page.value("trigger-event") == "Segment Left"
    page.fill({"trigger-kind": "request"}).press("kind")
    assert page.draft["trigger"] == {"kind": "request", "where": where, "max_age_hours": 24}
    page.fill({"trigger-kind": "event"}).press("kind")
    assert page.draft["trigger"] == {"event": "", "where": where, "max_age_hours": 24}


def test_a_trait_that_changes_is_asked_for_with_its_values(browser: Client) -> None:
    campaign = make_draft({**FULL, "trigger": {"kind": "trait", "trait": ["a.b", "c"], "from": None, "to": "12"}})
    page = EditorPage(browser, campaign)
    assert (page.value("trigger-before"), page.value("trigger-after")) == ("null", '"12"')
    assert page.press().draft["trigger"] == {
        "kind": "trait",
        "trait": ["a.b", "c"],
        "from": None,
        "to": "12",
        "where": None,
    }
    page.fill({"trigger-trait": "plan", "trigger-before": "", "trigger-after": "12"}).press()
    assert page.draft["trigger"] == {"kind": "trait", "trait": "plan", "to": 12, "where": None}
    assert "plan changes to “12”" in page.html
    page.fill({"trigger-after": "[1]"}).press()
    assert 'aria-describedby="id_trigger-after-error"' in page.html
