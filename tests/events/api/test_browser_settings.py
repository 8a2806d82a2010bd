from __future__ import annotations

from typing import Any

import pytest
from django.test import Client
from django.utils import timezone
from pytest_django import Settings

from events.models import SourceKey
from tests.factories import make_key, make_source
from tests.tracking import basic

pytestmark = pytest.mark.django_db
PATHS = ["/v1/projects/{}/settings", "/cdp/v1/projects/{}/settings/", "/sourceConfig/?writeKey={}&v=3"]


def ask(path: str, key: str, **headers: str) -> Any:
    return Client().get(path.format(key), headers={"Authorization": basic(key), **headers})


@pytest.fixture
def key() -> str:
    return make_key(kind=SourceKey.Kind.PUBLIC)


@pytest.mark.parametrize(
    ("path", "destination", "to"),
    [
        ("/v1/projects/{}/settings", "Segment.io", "v1"),
        ("/v1/projects/{}/settings/", "Segment.io", "v1"),
        ("/cdp/v1/projects/{}/settings", "Customer.io Data Pipelines", "cdp/v1"),
    ],
)
def test_analytics_js_learns_to_send_where_it_asked(key: str, path: str, destination: str, to: str) -> None:
    answer = Client().get(path.format(key), headers={"Host": "localhost:8103"})
    assert answer.status_code == 200
    # One destination, or the library waits for the script of the other; no figures of its own, or they go to Segment.
    assert answer.json() == {
        "integrations": {destination: {"apiKey": key, "apiHost": f"localhost:8103/{to}", "protocol": "http"}},
        "metrics": {"sampleRate": 0},
    }


def test_behind_a_proxy_that_speaks_https_so_does_the_page(key: str, settings: Settings) -> None:
    settings.BASE_URL = "https://events.example"
    said = ask(PATHS[0], key).json()["integrations"]["Segment.io"]
    assert said["protocol"] == "https"


def test_rudderstacks_library_learns_that_its_source_is_on() -> None:
    source = make_source("Shop")
    said = ask(PATHS[2], make_key(source, kind=SourceKey.Kind.PUBLIC)).json()["source"]
    assert (said["id"], said["name"], said["enabled"], said["destinations"]) == (str(source.pk), "Shop", True, [])
    assert said["config"]["statsCollection"] == {"errors": {"enabled": False}, "metrics": {"enabled": False}}


@pytest.mark.parametrize("path", PATHS)
def test_the_answer_can_be_read_from_any_page_and_kept_a_while(key: str, path: str) -> None:
    answer = ask(path, key, Origin="https://shop.example")
    assert answer.status_code == 200
    assert answer["Access-Control-Allow-Origin"] == "*"
    assert answer["Cache-Control"] == "public, max-age=300"
    assert "Origin" in answer["Vary"]
    assert Client().options(path.format(key)).status_code == 204


@pytest.mark.parametrize("path", PATHS)
def test_unknown_and_revoked_keys_are_told_in_json(path: str) -> None:
    revoked = make_key()
    SourceKey.objects.update(revoked_at=timezone.now())
    for key in ("nobody", revoked, "x" * 5000, "%00", "ÿ"):
        answer = ask(path, key)
        assert answer.status_code == (401 if "sourceConfig" in path else 404)
        assert answer.json()["message"] and answer.json()["field"]
        assert answer["Access-Control-Allow-Origin"] == "*"
        assert "Cache-Control" not in answer


@pytest.mark.parametrize("path", PATHS)
def test_a_page_learns_at_once_that_it_must_not_use_a_key(path: str) -> None:
    answer = ask(path, make_key(kind=SourceKey.Kind.SECRET), Origin="https://shop.example")
    assert (answer.status_code, answer.json()["code"]) == (403, "secret_key_in_browser")
    bound = make_key(kind=SourceKey.Kind.PUBLIC)
    SourceKey.objects.filter(public_value=bound).update(allowed_origins=["https://shop.example"])
    assert ask(path, bound, Origin="https://other.example").json()["code"] == "origin_not_allowed"
    assert ask(path, bound, Origin="https://shop.example").status_code == 200


@pytest.mark.parametrize("path", PATHS)
def test_settings_can_only_be_read(key: str, path: str) -> None:
    answer = Client().post(path.format(key), headers={"Authorization": basic(key)})
    assert (answer.status_code, answer.json()["code"]) == (405, "method_not_allowed")
