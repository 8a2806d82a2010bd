"""The OpenAPI document says everything there is, and what it says is true: fuzzed, nothing answers with a 5xx."""

from __future__ import annotations

import os
from functools import partial
from typing import Any

import pytest
import requests
import schemathesis
from django.test import Client
from hypothesis import HealthCheck, Phase, given, settings
from pytest_django.live_server_helper import LiveServer
from schemathesis import Case, GenerationMode

from events.models import ApiToken, hash_key
from tests.factories import make_event, make_key, make_profile, make_source
from tests.tracking import basic

pytestmark = pytest.mark.django_db
# All operations together; more on demand: FUZZ_CASES=10000.
CASES = int(os.environ.get("FUZZ_CASES", "400"))
TOKEN = "cb_fuzz"
FUZZ = partial(
    settings,
    deadline=None,
    database=None,
    derandomize=True,
    suppress_health_check=list(HealthCheck),
    phases=[Phase.explicit, Phase.generate],
)


def document() -> Any:
    answer = Client().get("/api/schema/?format=json")
    assert answer.status_code == 200
    return answer.json()


def test_the_apis_are_described_and_the_management_api_is_locked() -> None:
    paths = document()["paths"]
    assert {f"/v1/{kind}" for kind in ("identify", "track", "page", "screen", "group", "alias", "batch")} <= set(paths)
    assert "/api/v1/manage/profiles/{user_id}/activity/" in paths
    ids = [operation["operationId"] for path in paths.values() for operation in path.values()]
    assert len(ids) == len(set(ids))
    for path, operations in paths.items():
        if path.startswith("/api/v1/manage/"):
            assert all(operation.get("security") for operation in operations.values()), path


def test_the_page_to_try_it_needs_nobody_elses_server() -> None:
    text = Client().get("/api/docs/").content.decode()
    assert "swagger-ui" in text
    assert "//cdn" not in text and "unpkg" not in text


@pytest.mark.slow
@pytest.mark.django_db(transaction=True)
def test_no_call_that_the_document_allows_or_forbids_is_answered_with_a_5xx(live_server: LiveServer) -> None:
    """Each operation with generated, good and bad input, and the headers of a client that may do everything."""
    key = make_key(make_source("Fuzz"))
    make_event(make_profile("ada"), "Ordered")
    ApiToken.objects.create(label="fuzz", key_hash=hash_key(TOKEN))
    schema = schemathesis.openapi.from_url(f"{live_server.url}/api/schema/?format=json")
    operations = [found.ok() for found in schema.get_all_operations()]
    seen: list[int] = []
    for operation in operations:
        _fuzz(operation, key, max(1, CASES // len(operations)), seen)
    assert len(seen) >= CASES * 0.5
    assert {200, 400} <= set(seen)


def _fuzz(operation: Any, key: str, count: int, seen: list[int]) -> None:
    tracking = operation.path.startswith("/v1/")
    headers = {"Authorization": basic(key) if tracking else f"Bearer {TOKEN}"}

    session = requests.Session()

    @FUZZ(max_examples=count)
    @given(case=operation.as_strategy() | operation.as_strategy(generation_mode=GenerationMode.NEGATIVE))
    def send(case: Case) -> None:
        status = case.call(session=session, headers=headers).status_code
        seen.append(status)
        assert status < 500, f"{operation.method} {case.formatted_path} {case.query}: {case.body!r}"

    with session:
        send()
