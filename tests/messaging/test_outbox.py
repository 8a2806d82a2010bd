"""The outbox: each message once, by its key."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from events import nudges
from events.models import Profile
from messaging.models import Message, Priority, TemplateVersion
from messaging.outbox import Draft, give_up, queue, requeue
from messaging.reasons import Reason
from messaging.states import IllegalMove, Status
from tests.factories import make_message, make_profile, make_version

pytestmark = pytest.mark.django_db


@pytest.fixture
def profile() -> Profile:
    return make_profile()


@pytest.fixture
def version() -> TemplateVersion:
    return make_version()


def draft(key: str, profile: Profile, version: TemplateVersion, **changes: object) -> Draft:
    values: dict[str, object] = {
        "key": key,
        "profile_id": profile.pk,
        "template_version_id": version.pk,
        "purpose": "marketing",
        "provider_id": None,
        "variables": {"trigger": {"plan": "pro", "n": 1.5}},
        "is_test": False,
        "due_at": timezone.now(),
        **changes,
    }
    return Draft(**values)  # type: ignore[arg-type]


def test_queues_messages_and_returns_their_ids(profile: Profile, version: TemplateVersion) -> None:
    due = timezone.now() + timedelta(hours=1)
    ids = queue([draft("a", profile, version, due_at=due), draft("b", profile, version, is_test=True)])
    first, second = Message.objects.get(pk=ids["a"]), Message.objects.get(pk=ids["b"])
    assert (first.status, first.channel, first.attempts, first.address) == (Status.QUEUED, "email", 0, "")
    assert abs(first.due_at - due) < timedelta(milliseconds=1)
    assert first.variables == {"trigger": {"plan": "pro", "n": 1.5}}
    assert second.is_test
    assert first.public_id != second.public_id


def test_transactional_messages_are_urgent_whatever_the_campaign(profile: Profile, version: TemplateVersion) -> None:
    low = {"priority": Priority.LOW}
    ids = queue([draft("a", profile, version, **low), draft("b", profile, version, purpose="transactional", **low)])
    found = [Message.objects.get(pk=ids[key]).priority for key in ("a", "b")]
    assert found == [Priority.LOW, Priority.URGENT]


def test_the_same_key_is_queued_once(profile: Profile, version: TemplateVersion) -> None:
    first = queue([draft("a", profile, version)])
    again = queue([draft("a", profile, version, variables={}), draft("b", profile, version)])
    assert again["a"] == first["a"]
    assert Message.objects.count() == 2
    assert Message.objects.get(key="a").variables != {}


@pytest.mark.parametrize("count", [1, 300])
def test_takes_two_statements_whatever_the_number(profile: Profile, version: TemplateVersion, count: int) -> None:
    drafts = [draft(f"k{number}", profile, version) for number in range(count)]
    with CaptureQueriesContext(connection) as statements:
        assert len(queue(drafts)) == count
    assert len(statements) == 2


def test_nothing_to_queue_asks_nothing() -> None:
    with CaptureQueriesContext(connection) as statements:
        assert queue([]) == {}
    assert not statements.captured_queries


def test_wakes_a_worker_once_it_is_committed(
    profile: Profile,
    version: TemplateVersion,
    monkeypatch: pytest.MonkeyPatch,
    django_capture_on_commit_callbacks: object,
) -> None:
    sent: list[str] = []
    monkeypatch.setattr(nudges, "_send", sent.append)
    with django_capture_on_commit_callbacks(execute=True):  # type: ignore[operator]
        queue([draft("a", profile, version)])
        assert sent == []
    assert sent == ["messages"]


def test_an_operator_sends_again_what_is_in_doubt() -> None:
    message = make_message(status=Status.UNKNOWN, reason=Reason.OUTCOME_UNKNOWN, attempts=3)
    requeue(message)
    message.refresh_from_db()
    assert (message.status, message.reason, message.attempts) == (Status.QUEUED, "", 0)


def test_an_operator_leaves_what_is_in_doubt() -> None:
    message = make_message(status=Status.UNKNOWN, reason=Reason.OUTCOME_UNKNOWN)
    give_up(message)
    message.refresh_from_db()
    assert message.status == Status.FAILED


@pytest.mark.parametrize("status", [Status.QUEUED, Status.SENDING, Status.SENT, Status.SKIPPED])
def test_an_operator_cannot_send_again_what_is_under_way_or_out(status: Status) -> None:
    message = make_message(status=status)
    with pytest.raises(IllegalMove):
        requeue(message)
    message.refresh_from_db()
    assert message.status == status
