"""The payloads in docs/, sent one by one: each is answered with what its own test says, and does what its name says."""

from __future__ import annotations

import json
import re
import uuid
from collections.abc import Iterator
from typing import Any

import pytest
import requests
from django.utils import timezone
from pytest_django.live_server_helper import LiveServer

from events.models import Event, Group, InboundRequest, Profile, Source, SourceKey
from tests.factories import make_key, make_source
from tests.stack import ROOT

pytestmark = pytest.mark.django_db(transaction=True)
FILE = ROOT / "docs" / "payloads" / "cuebird.postman_collection.json"
COLLECTION = json.loads(FILE.read_text())
STATUS = re.compile(r'^pm\.test\("answers (\d+)", \(\) => pm\.response\.to\.have\.status\((\d+)\)\);$')
LONG = re.compile(r'^pm\.variables\.set\("(\w+)", "x"\.repeat\((\d+)\)\);$')
VARIABLE = re.compile(r"\{\{(\$?\w+)\}\}")


class Sender:
    """What Postman does with a collection, as far as this one asks for it."""

    def __init__(self, session: requests.Session, values: dict[str, str]) -> None:
        self.session = session
        self.values = {variable["key"]: variable["value"] for variable in COLLECTION["variable"]} | values

    def send(self, item: dict[str, Any]) -> requests.Response:
        request = item["request"]
        for script in scripts(item, "prerequest"):
            found = LONG.match(script)
            assert found, f"not known here: {script}"
            self.values[found[1]] = "x" * int(found[2])
        headers = {header["key"]: header["value"] for header in request["header"]}
        body = None
        if "body" in request:
            body = self.fill(request["body"]["raw"]).encode()
            headers.setdefault("Content-Type", "application/json")
        url = self.fill(request["url"]["raw"])
        auth = self.auth(request.get("auth", COLLECTION["auth"]))
        return self.session.request(request["method"], url, data=body, headers=headers, auth=auth, timeout=30)

    def auth(self, auth: dict[str, Any]) -> tuple[str, str] | None:
        if auth["type"] == "noauth":
            return None
        parts = {part["key"]: self.fill(part["value"]) for part in auth["basic"]}
        return parts["username"], parts["password"]

    def fill(self, text: str) -> str:
        """Put the variables in; Postman's own are made anew at each place."""

        def value(found: re.Match[str]) -> str:
            if found[1] == "$guid":
                return str(uuid.uuid4())
            if found[1] == "$isoTimestamp":
                return timezone.now().isoformat()
            return self.values[found[1]]

        return VARIABLE.sub(value, text)


def items() -> Iterator[tuple[str, dict[str, Any]]]:
    for folder in COLLECTION["item"]:
        for item in folder["item"]:
            yield f"{folder['name']} / {item['name']}", item


def scripts(item: dict[str, Any], when: str) -> list[str]:
    return [line for event in item["event"] if event["listen"] == when for line in event["script"]["exec"]]


def expected(item: dict[str, Any]) -> int:
    (line,) = scripts(item, "test")
    found = STATUS.match(line)
    assert found and found[1] == found[2], line
    return int(found[1])


@pytest.fixture
def sender(live_server: LiveServer) -> Iterator[Sender]:
    source = make_source("Shop")
    secret = make_key(source)
    hook = Source.objects.create(name="Hook", site_id="hook", kind=Source.Kind.WEBHOOK, slug="cart-hook")
    with requests.Session() as session:
        yield Sender(
            session,
            {
                "host": live_server.url,
                "write_key": secret,
                "public_key": make_key(source, SourceKey.Kind.PUBLIC),
                "site_id": source.site_id,
                "api_key": secret,
                "hook": str(hook.slug),
            },
        )


def count(name: str) -> int:
    return Event.objects.filter(name=name).count()


def test_each_payload_is_answered_as_it_says_and_does_what_its_name_says(sender: Sender) -> None:
    answers = {name: sender.send(item) for name, item in items()}
    wanted = {name: expected(item) for name, item in items()}
    assert {name: answer.status_code for name, answer in answers.items()} == wanted
    for name, answer in answers.items():
        if answer.content and "Pixel" not in name:
            assert isinstance(answer.json(), dict), name
        if answer.status_code >= 400 and "Pixel" not in name:
            assert "message" in answer.text or "error" in answer.text, name

    ada = Profile.objects.get(user_id="payload-ada")
    assert (ada.email, ada.traits["plan"]) == ("ada@example.com", "pro")
    assert "phone" not in ada.traits
    assert Profile.objects.filter(user_id="payload/bob@home").exists(), "decoded once"
    assert not Profile.objects.filter(user_id__in=["payload-bobby", "payload-mallory"]).exists()
    assert Group.objects.get(key="payload-acme").traits == {"name": "Acme", "seats": 25}
    assert Event.objects.get(name="Visited Pricing Page").profile == ada, "the visitor's history is hers"
    assert [count(f"Payload {name}") for name in ("Repeated", "Clicked", "Viewed")] == [1, 3, 10]
    assert count("Payload Good Among Bad") == count("Payload Small Beside Large") == count("Payload Large") == 1
    assert Event.objects.get(name="Payload Past").timestamp.year == 2020
    assert Event.objects.get(name="Payload Future").timestamp.year == 2099
    assert Event.objects.get(name="<b>Bold</b>").properties["comment"] == "<script>alert(1)</script>"
    assert not count("Never")
    # The debugger keeps what was refused, and what lost an item.
    refused = InboundRequest.objects.filter(status__gte=400).values_list("status", flat=True)
    assert set(refused) >= {400, 401, 403}
    assert InboundRequest.objects.filter(status=200, rejected__gt=0).count() == 3


def test_the_collection_is_one_that_postman_reads() -> None:
    names = [name for name, _ in items()]
    assert len(set(names)) == len(names) >= 80
    assert COLLECTION["info"]["schema"].endswith("/v2.1.0/collection.json")
    known = {variable["key"] for variable in COLLECTION["variable"]} | {"$guid", "$isoTimestamp", "long"}
    assert set(VARIABLE.findall(FILE.read_text())) <= known
    assert not any(variable["value"] for variable in COLLECTION["variable"] if "key" in variable["key"]), "no secrets"
    for name, item in items():
        url = item["request"]["url"]
        path = "/".join([*url["host"], *url["path"]])
        query = "&".join(f"{part['key']}={part['value']}" for part in url.get("query", []))
        assert url["raw"] == (f"{path}?{query}" if query else path), name
