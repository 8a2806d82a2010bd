"""Every log has an age that can be chosen, and goes when it is over."""

from __future__ import annotations

import json
import time
from datetime import datetime, timedelta
from typing import Any

import pytest
from axes.models import AccessAttempt, AccessLog
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import Permission, User
from django.contrib.sessions.models import Session
from django.test import Client
from django.utils import timezone

from campaigns.models import Call, Decision, Finding, Intake, Journey, Parked, Visit
from events import audit, log, retention, tasks
from events.audit import Actor
from events.models import (
    ApiToken,
    AuditEntry,
    Event,
    EventCount,
    Import,
    ImportFailure,
    InboundRequest,
    KeepFor,
    Pending,
    Violation,
    hash_key,
    new_key,
)
from messaging.models import DeliveryEvent, Message, MessageBody
from messaging.states import Status
from tests.campaigns import flow
from tests.factories import make_event, make_message, make_profile, make_source, planned

pytestmark = pytest.mark.django_db
PAGE = "/admin/events/keepfor/"


def ago(days: float) -> datetime:
    return timezone.now() - timedelta(days=days)


def forget() -> None:
    retention.forget(timezone.now(), time.monotonic() + 60)


def age(model: Any, column: str, days: float) -> None:
    model.objects.update(**{column: ago(days)})


def make_request() -> None:
    InboundRequest.objects.create(method="POST", path="/v1/track", status=400)


def make_violation() -> None:
    Violation.objects.create(name="A", message="m")


def make_parked() -> None:
    event = make_event(make_profile(), pending=True)
    log.park(event.pk, "ValueError")


def make_failure() -> None:
    upload = Import.objects.create(source=make_source(), kind="profiles", format="csv", file_name="people.csv")
    ImportFailure.objects.create(upload=upload, row=1, message="wrong", raw="x")


def make_decision() -> None:
    flow.make_campaign()
    flow.happens(make_profile())
    flow.settle()


def make_visit() -> None:
    make_decision()
    Journey.objects.update(state=Journey.State.ENDED, ended_at=timezone.now())


def make_call() -> None:
    make_visit()
    now = timezone.now()
    Call.objects.create(journey=Journey.objects.get(), visit=1, step_id="crm", method="GET", due_at=now, until=now)


def make_parked_by_campaign() -> None:
    campaign, event = flow.make_campaign(), make_event(make_profile())
    Parked.objects.create(
        event_id=event.pk,
        event_timestamp=event.timestamp,
        campaign=campaign,
        version=campaign.live_version,
        profile=event.profile,
        error="ValueError",
    )


def make_intake() -> None:
    now = timezone.now()
    Intake.objects.create(campaign=flow.make_campaign(), due_at=now, next_at=now, ended_at=now)


def make_finding() -> None:
    Finding.objects.create(kind=Finding.Kind.NO_WORKER, since=timezone.now(), until=timezone.now())


def make_report() -> None:
    message = make_message(status=Status.SENT)
    DeliveryEvent.objects.create(message=message, type="opened", event_key="k", timestamp=timezone.now())


def make_change() -> None:
    LogEntry.objects.create(user=User.objects.create_user("eve"), action_flag=2, object_repr="Spring sale")


LOGS: dict[str, tuple[Any, Any, str, int | None]] = {
    "requests": (make_request, InboundRequest, "received_at", 7),
    "violations": (make_violation, Violation, "occurred_at", 7),
    "parked": (make_parked, Pending, "parked_at", 90),
    "failures": (make_failure, ImportFailure, "", 30),
    "counts": (lambda: EventCount.objects.create(hour=timezone.now(), name="A", count=1), EventCount, "hour", 730),
    "audit": (lambda: audit.note(Actor("eve"), "unsuppress", ids=1), AuditEntry, "at", 730),
    "decisions": (make_decision, Decision, "created_at", 90),
    "visits": (make_visit, Visit, "", None),
    "calls": (make_call, Call, "", 90),
    "parked_by_campaigns": (make_parked_by_campaign, Parked, "parked_at", 90),
    "intakes": (make_intake, Intake, "ended_at", 365),
    "findings": (make_finding, Finding, "until", 90),
    "reports": (make_report, DeliveryEvent, "received_at", None),
    "changes": (make_change, LogEntry, "action_time", 730),
    "log-ins": (
        lambda: AccessLog.objects.create(username="eve", ip_address="192.0.2.1"),
        AccessLog,
        "attempt_time",
        90,
    ),
    "texts": (lambda: make_message(status=Status.SENT, html="<p>Hi</p>"), MessageBody, "", None),
    "events": (lambda: make_event(make_profile()), Event, "timestamp", None),
}
BORN_ELSEWHERE: dict[str, tuple[Any, str]] = {
    "failures": (Import, "created_at"),
    "texts": (Message, "created_at"),
    "visits": (Journey, "ended_at"),
    "calls": (Journey, "ended_at"),
}


def test_every_kind_has_its_test() -> None:
    assert {kind.key: kind.days for kind in retention.kinds()} == {key: log[3] for key, log in LOGS.items()}


@pytest.mark.parametrize("key", LOGS)
def test_a_log_goes_at_its_age_and_at_the_one_that_is_chosen(key: str) -> None:
    make, model, column, usual = LOGS[key]
    dated, column = BORN_ELSEWHERE.get(key, (model, column))
    make()
    if usual is None:
        age(dated, column, 3000)
        forget()
        assert model.objects.count() == 1, "for ever"
        usual = 50
        KeepFor.objects.create(kind=key, days=usual)
    age(dated, column, usual - 0.1)
    forget()
    assert model.objects.count() == 1
    KeepFor.objects.update_or_create(kind=key, defaults={"days": None})
    age(dated, column, usual + 0.1)
    forget()
    assert model.objects.count() == 1, "for ever"
    KeepFor.objects.filter(kind=key).delete() if LOGS[key][3] else KeepFor.objects.update(days=usual)
    tasks.forget()
    assert model.objects.count() == 0


def test_steps_of_a_journey_under_way_stay() -> None:
    make_visit()
    age(Journey, "entered_at", 100)
    Journey.objects.update(state=Journey.State.WAITING, ended_at=None)
    KeepFor.objects.create(kind="visits", days=30)
    forget()
    assert Visit.objects.exists()


def test_sessions_and_failed_log_ins_go_with_the_log_ins() -> None:
    Session.objects.create(session_key="old", session_data="", expire_date=ago(91))
    Session.objects.create(session_key="new", session_data="", expire_date=ago(-1))
    AccessAttempt.objects.create(username="eve", get_data="", post_data="", failures_since_start=1)
    age(AccessAttempt, "attempt_time", 91)
    forget()
    assert list(Session.objects.values_list("pk", flat=True)) == ["new"] and not AccessAttempt.objects.exists()


def test_a_message_that_is_not_out_keeps_its_text() -> None:
    make_message(html="<p>Hi</p>")
    age(Message, "created_at", 100)
    KeepFor.objects.create(kind="texts", days=1)
    forget()
    assert MessageBody.objects.exists()


def test_ages_are_chosen_on_one_page_and_it_is_on_record(admin_client: Client) -> None:
    planned("Page Viewed", retention_days=14)
    shown = admin_client.get(PAGE).content.decode()
    assert "Page Viewed" in shown and "14 days" in shown
    form = {key: "" if days is None else days for key, days in retention.ages().items()}
    assert admin_client.post(PAGE, form).status_code == 302
    assert not KeepFor.objects.exists() and not AuditEntry.objects.exists(), "nothing was changed"
    answer = admin_client.post(PAGE, {**form, "events": "0"})
    assert answer.status_code == 200 and "aria-invalid" in answer.content.decode()
    assert admin_client.post(PAGE, {**form, "events": "365", "requests": ""}).status_code == 302
    assert (retention.ages()["events"], retention.ages()["requests"]) == (365, None)
    assert AuditEntry.objects.get().details == {"days": {"events": 365, "requests": None}}


def test_only_who_may_change_ages_can() -> None:
    viewer = User.objects.create_user("viewer", is_staff=True)
    viewer.user_permissions.add(Permission.objects.get(codename="view_keepfor"))
    client = Client()
    client.force_login(viewer)
    assert client.get(PAGE).status_code == 200
    assert client.post(PAGE, {"events": "1"}).status_code == 403
    assert not KeepFor.objects.exists()


def call(method: str, body: Any = None, scope: str = "privacy:write") -> Any:
    token = new_key("token")
    ApiToken.objects.create(label="CI", key_hash=hash_key(token), scopes=[scope])
    headers = {"Authorization": f"Bearer {token}"}
    content = b"" if body is None else json.dumps(body).encode()
    return Client().generic(method, "/api/v1/manage/retention/", content, "application/json", headers=headers)


def test_ages_are_read_and_chosen_by_api() -> None:
    assert call("GET").json() == retention.ages()
    assert call("PATCH", {"events": 90, "requests": None}).json() == {
        **retention.ages(),
        "events": 90,
        "requests": None,
    }
    assert AuditEntry.objects.get().actor == "token CI"
    assert call("PATCH", {}).status_code == 200 and AuditEntry.objects.count() == 1
    assert call("GET", scope="profiles:write").status_code == 403


@pytest.mark.parametrize(
    "wish", [{"events": 0}, {"events": 36_501}, {"reports": 29}, {"events": "1"}, {"events": True}, {"never": 1}]
)
def test_ages_out_of_bounds_name_the_field(wish: dict[str, Any]) -> None:
    answer = call("PATCH", wish)
    assert (answer.status_code, answer.json()["field"]) == (400, next(iter(wish)))
    assert not KeepFor.objects.exists()
