"""What the builder of conditions asks of the server, over HTTP."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth.models import Permission, User
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from events import catalog
from events.conditions import reading
from events.models import Event
from events.segments import counting
from tests.factories import make_event, make_profile

pytestmark = pytest.mark.django_db
PRO = {"trait": "plan", "is": "pro"}


def url(name: str) -> str:
    return reverse(f"admin:events_conditions_{name}")


def look(client: Client, condition: Any, **more: Any) -> Any:
    body = json.dumps({"condition": condition, **more})
    return client.post(url("look"), body, content_type="application/json").json()


def get(client: Client, endpoint: str, /, **asked: Any) -> Any:
    return client.get(url(endpoint), asked).json()


def test_a_mistake_is_named_with_its_place_and_a_condition_is_said(admin_client: Client) -> None:
    wrong = {"all": [PRO, {"trait": "age", "gt": "old"}]}
    assert look(admin_client, wrong) == {"errors": [{"path": "all[1].gt", "message": "must be a number"}]}
    found = look(admin_client, PRO)
    assert found["errors"] == [] and found["sentence"] == "plan is “pro”" and found["count"] is None


def test_people_are_counted_when_that_is_asked_for(admin_client: Client) -> None:
    for number in range(3):
        make_profile(f"u{number}", traits={"plan": "pro" if number else "free"})
    make_profile("test", traits={"plan": "pro"}, is_test=True)
    count = look(admin_client, PRO, count=True)["count"]
    assert (count["people"], count["of"], count["exact"]) == (2, 3, True)


def test_words_come_from_what_was_seen(admin_client: Client) -> None:
    for number in range(3):
        profile = make_profile(f"u{number}")
        make_event(profile, "Order Completed", {"total": 30, "currency": "EUR"})
        make_event(profile, properties={"plan": "pro", "email": "a@example.com"}, type=Event.Type.IDENTIFY)
    catalog.learn()
    assert [word["value"] for word in get(admin_client, "words", kind="event", q="ord")["words"]] == ["Order Completed"]
    found = get(admin_client, "words", kind="property", event="Order Completed")["words"]
    assert {word["value"]: (word["type"], word["seen"]) for word in found} == {
        "currency": ("string", "in 100 %"),
        "total": ("number", "in 100 %"),
    }
    traits = {word["value"]: word["examples"] for word in get(admin_client, "words", kind="trait")["words"]}
    assert traits == {"plan": ["pro"], "email": []}


def test_the_grammar_describes_every_operator_and_kind(admin_client: Client) -> None:
    found = get(admin_client, "grammar")
    offered = [each for kind in found["operators"] for each in kind["operators"]]
    assert {"key": "text:is", "label": "is", "input": "text"} in offered
    assert {each["key"].partition(":")[2] for each in offered} == {*reading.OPERATORS, "missing"}
    assert [each["key"] for each in found["times"]] == ["gte", "lte", "gt", "lt", "is", "is_not"]
    segment = next(kind for kind in found["kinds"] if kind["key"] == "segment")
    assert segment["label"] == "Segment" and segment["fields"][0]["words"] == "segment"


def test_people_are_found_by_the_beginning_of_what_they_are_called(admin_client: Client) -> None:
    ada = make_profile("ada", email="ada@example.com", traits={"name": "Ada <b>"})
    make_profile("ben")
    assert [each["id"] for each in get(admin_client, "people", q="AD")["people"]] == [ada.pk]
    assert get(admin_client, "people", q="ad")["people"][0]["name"] == "Ada <b>"
    assert len(get(admin_client, "people")["people"]) == 2


def test_one_persons_verdicts_are_shown_with_what_was_seen(admin_client: Client) -> None:
    ada = make_profile("ada", traits={"plan": "free"})
    found = look(admin_client, {"all": [PRO, {"event": "X"}]}, profile=ada.pk)["person"]
    assert (found["id"], found["matches"]) == (ada.pk, False)
    assert found["parts"][1] == {
        "path": "all[0]",
        "sentence": "plan is “pro”",
        "matches": False,
        "seen": "“free”",
        "decides": True,
    }
    assert look(admin_client, PRO, profile=0)["person"] is None


def test_about_an_event_the_persons_last_one_is_asked(admin_client: Client) -> None:
    ada = make_profile("ada")
    asked = {"about": "event", "event": "Order Completed", "profile": ada.pk}
    tree = {"property": "total", "gt": 50}
    none = look(admin_client, tree, **asked)["person"]
    assert none["matches"] is None and none["note"] == "This person has no “Order Completed” yet."
    make_event(ada, "Order Completed", {"total": 90}, timestamp=timezone.now() - timedelta(hours=2))
    make_event(ada, "Order Completed", {"total": 30}, timestamp=timezone.now() - timedelta(hours=1))
    found = look(admin_client, tree, **asked)["person"]
    assert (found["matches"], found["parts"][0]["seen"]) == (False, "30")
    assert found["note"] == "Asked about this person’s last “Order Completed”, 1 hour ago."
    assert look(admin_client, tree, **asked | {"about": "where"})["person"]["matches"] is False


def test_those_whose_last_event_meets_it_are_counted_and_shown(admin_client: Client) -> None:
    dear, cheap = make_profile("dear"), make_profile("cheap")
    make_event(dear, "Order Completed", {"total": 90})
    make_event(cheap, "Order Completed", {"total": 9})
    tree = {"property": "total", "gt": 50}
    found = look(admin_client, tree, about="event", event="Order Completed", count=True)
    assert (found["count"]["people"], found["count"]["exact"]) == (1, True)
    assert found["count"]["about"] == "those whose last “Order Completed” within 30 days meets it"
    assert [each["id"] for each in found["sample"]] == [dear.pk]
    assert "Choose the event" in look(admin_client, tree, about="event", count=True)["count"]["message"]
    filtered = look(admin_client, tree, about="where", event="Order Completed", count=True)
    assert filtered["count"]["people"] == 1, "a filter of events is counted alike"


def test_when_counting_takes_too_long_it_says_what_to_do(admin_client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(counting, "EXACT_SECONDS", 0.001)
    for _ in range(30):
        make_event(make_profile(), "A")
    steps = [{"event": "A"}] * 10
    count = look(admin_client, {"all": [{"sequence": steps}] * 10}, count=True)["count"]
    assert count["too_slow"] is True and "shorter time" in count["message"]


def test_unknown_names_are_warned_of_beside_the_sentence(admin_client: Client) -> None:
    make_event(make_profile(), properties={"plan": "pro"}, type=Event.Type.IDENTIFY, name="")
    catalog.learn()
    assert look(admin_client, {"trait": "plna", "is": "pro"})["warnings"] == [
        {"path": "trait", "message": "Nobody has a trait “plna” yet. Did you mean “plan”?", "nearest": "plan"}
    ]


def test_values_and_spreads_are_of_what_was_seen(admin_client: Client) -> None:
    for number in range(1, 101):
        person = make_profile(traits={"plan": "pro" if number > 25 else "free", "email": "same@example.com"})
        make_event(person, "Left", {"seconds": number})
    values = get(admin_client, "values", kind="trait", name="plan")["values"]
    assert values == [{"value": "pro", "share": 0.75}, {"value": "free", "share": 0.25}]
    assert [each["value"] for each in get(admin_client, "values", kind="trait", name="plan", q="FR")["values"]] == [
        "free"
    ]
    assert get(admin_client, "values", kind="trait", name="email")["values"] == []
    found = get(admin_client, "spread", kind="property", name="seconds", event="Left", cut="31", op="gte")
    assert (found["n"], found["unit"], found["share"], found["sampled"]) == (100, "events", 0.7, False)
    assert {"q": 0.5, "value": 51} in found["quantiles"] and {"share": 0.1, "at": 91} in found["advice"]
    assert sum(each["n"] for each in found["bins"]) == 100 and found["bins"][0]["from"] == 0
    nothing = get(admin_client, "spread", kind="trait", name="nothing")
    assert (nothing["n"], nothing["bins"], nothing["quantiles"]) == (0, [], [])


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ("{", "has to be JSON"),
        ("[" * 100_000, "has to be JSON"),
        ("[]", "object with"),
        ("{}", "object with"),
        ('{"condition": {}, "about": "x"}', "about:"),
        ('{"condition": {}, "event": 3}', "event:"),
        ('{"condition": {}, "type": "alias"}', "type:"),
        ('{"condition": {}, "profile": "1"}', "profile:"),
        ('{"condition": {}, "profile": true}', "profile:"),
        ('{"condition": "' + "x" * 300_000 + '"}', "bytes"),
    ],
)
def test_what_no_builder_sends_is_refused_in_words(admin_client: Client, body: str, words: str) -> None:
    answer = admin_client.post(url("look"), body, content_type="application/json")
    assert answer.status_code == 400 and words in answer.json()["error"]


@pytest.mark.parametrize(
    "condition", [None, 3, "x", [], {}, {"all": []}, {"trait": "\ud800", "is": 1}, {"event": "\0"}]
)
def test_a_tree_that_says_nothing_is_an_error_and_no_crash(admin_client: Client, condition: Any) -> None:
    assert look(admin_client, condition, count=True)["errors"]


@pytest.mark.parametrize(
    ("name", "asked"),
    [
        ("words", {"kind": "secrets"}),
        ("words", {"kind": "property", "type": "alias"}),
        ("values", {"kind": "trait"}),
        ("values", {"kind": "event", "name": "x"}),
        ("spread", {"kind": "trait", "name": "x", "days": "0"}),
        ("spread", {"kind": "trait", "name": "x", "days": "-1"}),
        ("spread", {"kind": "trait", "name": "x", "days": "9" * 5000}),
        ("spread", {"kind": "trait", "name": "x", "cut": "nan"}),
        ("spread", {"kind": "trait", "name": "x", "op": "is"}),
    ],
)
def test_foreign_questions_are_refused(admin_client: Client, name: str, asked: dict[str, str]) -> None:
    answer = admin_client.get(url(name), asked)
    assert answer.status_code == 400 and answer.json()["error"]


def test_what_cannot_be_stored_names_nothing(admin_client: Client) -> None:
    for name in ("words", "values", "spread", "people"):
        asked = {"kind": "property", "name": "a\0b", "event": "\0", "q": "\0"}
        assert admin_client.get(url(name), asked).status_code == 200
    for event in ("a\0b", "\ud800"):
        assert "event:" in look(admin_client, PRO, about="event", event=event)["error"]
    assert look(admin_client, PRO, profile=10**30)["person"] is None


def test_markup_in_names_comes_back_as_json_that_no_browser_reads_as_a_page(admin_client: Client) -> None:
    nasty = "</script><script>alert(1)</script>"
    ada = make_profile(traits={"plan": nasty, "name": nasty})
    answer = admin_client.post(
        url("look"),
        json.dumps({"condition": {"trait": "plan", "is": nasty}, "profile": ada.pk, "count": True}),
        content_type="application/json",
    )
    assert answer["Content-Type"] == "application/json" and answer["X-Content-Type-Options"] == "nosniff"
    assert answer.json()["sentence"] == f"plan is “{nasty}”"
    assert answer.json()["sample"][0]["name"] == nasty


@pytest.mark.parametrize("name", ["look", "words", "values", "spread", "people", "grammar"])
def test_only_staff_who_may_see_people_are_answered(client: Client, name: str) -> None:
    assert client.get(url(name)).status_code == 302
    user = User.objects.create_user("somebody", is_staff=True)
    client.force_login(user)
    ask = client.post if name == "look" else client.get
    assert ask(url(name)).status_code == 403
    user.user_permissions.add(Permission.objects.get(codename="view_profile"))
    assert ask(url(name)).status_code in (200, 400)
    assert (client.get if name == "look" else client.post)(url(name)).status_code == 405


def test_a_form_of_another_site_is_not_answered() -> None:
    client = Client(enforce_csrf_checks=True)
    client.force_login(User.objects.create_superuser("admin"))
    assert client.post(url("look"), "{}", content_type="application/json").status_code == 403
