"""The made-up past: as much as asked for, and consistent."""

from __future__ import annotations

import pytest
from django.core.management import CommandError, call_command
from django.db.models import F, Sum

from campaigns import metrics
from campaigns.models import Campaign, Decision, Journey, Metric, StepCount, Visit
from events.models import Event, EventCount, Identity, Pending, Profile
from messaging.models import DeliveryEvent, Message, MessageBody, Suppression, Unsubscription

pytestmark = pytest.mark.django_db


@pytest.fixture
def loaded() -> None:
    call_command("seed_load", profiles=120, events=5000, messages=600, yes=True)


@pytest.mark.usefixtures("loaded")
def test_there_is_as_much_as_asked_for_and_nothing_left_to_do() -> None:
    assert Profile.objects.count() == 120
    assert Identity.objects.filter(kind="user").count() == 120
    assert Event.objects.count() == 5000
    assert Message.objects.count() == 600
    assert Message.objects.filter(status__in=("queued", "sending")).count() == 0
    assert not Pending.objects.exists()


@pytest.mark.usefixtures("loaded")
def test_each_journey_has_its_event_its_visits_and_its_decision() -> None:
    journeys = Journey.objects.count()
    assert Journey.objects.filter(trigger_event_id__in=Event.objects.values("pk")).count() == journeys
    assert Decision.objects.filter(journey__profile=F("profile")).count() == journeys
    assert Visit.objects.filter(number=1).count() == journeys
    sent = Visit.objects.filter(step_id="mail", message__profile=F("journey__profile"))
    assert sent.count() == Message.objects.count()
    waiting = Journey.objects.filter(state="waiting")
    assert waiting.exists() and all(journey.due_at for journey in waiting)


@pytest.mark.usefixtures("loaded")
def test_figures_agree_with_what_they_sum_up() -> None:
    totals = {
        metric: StepCount.objects.filter(metric=metric).aggregate(n=Sum("count"))["n"] or 0 for metric in Metric.values
    }
    assert totals[Metric.ENTERED] == Journey.objects.count()
    assert totals[Metric.ENDED] == Journey.objects.filter(state="ended").count()
    assert totals[Metric.CONVERTED] == Journey.objects.exclude(converted_at=None).count()
    assert totals[Metric.SENT] == Message.objects.exclude(sent_at=None).count()
    for metric in (Metric.DELIVERED, Metric.OPENED, Metric.CLICKED, Metric.BOUNCED):
        assert totals[metric] == DeliveryEvent.objects.filter(type=metric).count(), metric
        assert totals[metric] == Event.objects.filter(name=f"Email {metric.title()}").count(), metric
    assert totals[Metric.SKIPPED] == Message.objects.filter(status="skipped").count() > 0
    assert EventCount.objects.aggregate(n=Sum("count"))["n"] == Event.objects.count()
    campaign = Campaign.objects.get(slug="load-0")
    assert metrics.totals(campaign)[""][Metric.ENTERED] == campaign.journeys.count()


@pytest.mark.usefixtures("loaded")
def test_who_bounced_or_left_gets_nothing_more() -> None:
    assert Suppression.objects.count() == Message.objects.filter(status="bounced").count() > 0
    gone = Unsubscription.objects.values("profile_id")
    assert set(Message.objects.filter(profile__in=gone).values_list("status", flat=True)) == {"skipped"}
    assert not MessageBody.objects.filter(message__sent_at=None).exists()


@pytest.mark.usefixtures("loaded")
def test_a_second_load_is_refused() -> None:
    with pytest.raises(CommandError, match="already"):
        call_command("seed_load", profiles=1, events=1, messages=1, yes=True)


def test_it_refuses_where_it_could_do_harm(settings: object) -> None:
    settings.DEBUG = settings.DEMO = False  # type: ignore[attr-defined]
    with pytest.raises(CommandError, match="--yes"):
        call_command("seed_load")
    assert not Profile.objects.exists()


def test_numbers_below_one_are_refused() -> None:
    with pytest.raises(CommandError, match="at least 1"):
        call_command("seed_load", profiles=0, yes=True)
