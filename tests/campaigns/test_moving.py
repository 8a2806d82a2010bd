"""Journeys of an old version go on by the present one, and a version can be gone back to."""

from __future__ import annotations

import time
from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from campaigns import moving, publishing, runner
from campaigns.models import Campaign, CampaignVersion, Journey, VersionMove
from campaigns.reasons import Outcome
from messaging.models import Message, Priority, Template
from tests.campaigns.flow import delay, happens, make_campaign, make_template, send, settle, statements
from tests.factories import make_profile

pytestmark = pytest.mark.django_db


def publish(campaign: Campaign, *steps: dict[str, Any], **parts: Any) -> CampaignVersion:
    campaign.draft = {**campaign.draft, "steps": list(steps), **parts}
    campaign.save()
    return publishing.publish(campaign, None, "Because.")


def under_way(*steps: dict[str, Any], people: int = 1) -> tuple[Campaign, CampaignVersion]:
    campaign = make_campaign(*steps)
    for _ in range(people):
        happens(make_profile(traits={"email": "ada@example.com"}))
    settle()
    assert campaign.live_version is not None
    return campaign, campaign.live_version


def move(source: CampaignVersion, target: CampaignVersion, **places: str) -> int:
    chosen = places or {
        key: at for key, at in moving.suggest(source.definition, target.definition).items() if at is not None
    }
    asked = moving.ask(source, target, chosen, "Ada")
    assert asked is not None
    return moving.run_due(time.monotonic() + 20)


def test_whoever_stands_at_the_same_step_keeps_the_time_they_have_waited() -> None:
    campaign, old = under_way(delay(7 * 86_400), send())
    Journey.objects.update(step_entered_at=timezone.now() - timedelta(days=2))
    new = publish(campaign, delay(86_400), send(), priority="high")
    assert move(old, new) == 1
    journey = Journey.objects.get()
    assert (journey.version, journey.step_id, journey.visit_number, journey.priority) == (new, "wait", 1, Priority.HIGH)
    settle()
    assert Journey.objects.get().state == Journey.State.ENDED
    assert Message.objects.count() == 1


def test_whoever_stands_at_a_step_that_is_gone_goes_on_at_the_next_that_is_in_both() -> None:
    campaign, old = under_way(delay(3_600, "gone"), delay(7_200, "kept"), send())
    new = publish(campaign, delay(7_200, "kept"), send())
    assert move(old, new) == 1
    journey = Journey.objects.get()
    assert (journey.version, journey.step_id, journey.visit_number) == (new, "kept", 2)
    first, second = journey.visits.order_by("number")
    assert (first.outcome, first.detail) == (Outcome.MOVED, "by Ada")
    assert second.step_id == "kept" and second.left_at is None
    settle()
    journey.refresh_from_db()
    assert journey.due_at is not None and journey.due_at - second.entered_at == timedelta(hours=2)


def test_who_has_no_place_in_the_other_version_stays() -> None:
    campaign, old = under_way(delay(3_600, "gone"))
    new = publish(campaign, send())
    assert moving.suggest(old.definition, new.definition) == {"": "", "gone": None}
    assert move(old, new) == 0
    assert Journey.objects.get().version == old
    assert not VersionMove.objects.filter(ended_at=None).exists()


def test_the_held_and_the_stuck_are_moved_too_and_the_ended_are_not() -> None:
    campaign, old = under_way(delay(3_600), people=3)
    stuck, held, ended = Journey.objects.order_by("pk")
    Journey.objects.filter(pk=stuck.pk).update(state="stuck")
    Journey.objects.filter(pk=held.pk).update(state="paused")
    runner.stop(ended)
    new = publish(campaign, delay(3_600), send())
    Journey.objects.filter(pk=held.pk).update(state="paused")
    assert move(old, new) == 2
    found = {journey.pk: (journey.version, journey.state) for journey in Journey.objects.all()}
    assert found == {stuck.pk: (new, "stuck"), held.pk: (new, "paused"), ended.pk: (old, "ended")}


def test_a_move_goes_in_portions_of_a_fixed_number_of_statements(monkeypatch: pytest.MonkeyPatch) -> None:
    counts = []
    for people in (2, 20):
        campaign, old = under_way(delay(3_600, "gone"), delay(60, "kept"), people=people)
        new = publish(campaign, delay(60, "kept"))
        moving.ask(old, new, {"gone": "kept"}, "Ada")
        counts.append(statements(moving._portion))
        moving.run_due(time.monotonic() + 20)
        Journey.objects.all().update(state="ended", due_at=None)
    assert counts[0] == counts[1] <= 16
    monkeypatch.setattr(runner, "BATCH", 3)
    campaign, old = under_way(delay(3_600), people=8)
    new = publish(campaign, delay(60))
    assert move(old, new, wait="wait") == 8
    done = VersionMove.objects.latest("pk")
    assert (done.moved, done.total) == (8, 8) and done.ended_at


def test_only_one_move_from_a_version_at_a_time_and_only_to_what_is_there() -> None:
    campaign, old = under_way(delay(3_600))
    new = publish(campaign, delay(60))
    for chosen, target in (({"wait": "nowhere"}, new), ({"wait": "wait"}, old)):
        with pytest.raises(ValueError, match="another version"):
            moving.ask(old, target, chosen, "Ada")
    assert moving.ask(old, new, {"wait": "wait"}, "Ada")
    assert moving.ask(old, new, {"wait": "wait"}, "Ada") is None


def test_going_back_sends_what_the_version_froze() -> None:
    campaign, old = under_way(send())
    Template.objects.update(subject="Later words")
    publish(campaign, delay(3_600), send())
    campaign.draft = {"steps": []}
    campaign.save()
    third = publishing.roll_back(campaign, old, None, " The delay was wrong. ")
    assert (third.number, third.definition) == (3, old.definition)
    assert third.reason == "Back to version 1: The delay was wrong."
    assert campaign.live_version == third and "template_version" not in campaign.draft["steps"][0]
    with pytest.raises(publishing.NotPublishable, match="say in a few words"):
        publishing.roll_back(campaign, old, None, " ")


def test_the_pages_show_how_many_go_where_and_move_them(admin_client: Client) -> None:
    make_template()
    campaign, old = under_way(delay(3_600, "gone"), delay(60, "kept"), people=2)
    publish(campaign, delay(60, "kept"))
    versions = f"/admin/campaigns/campaign/{campaign.pk}/versions/"
    shown = admin_client.get(versions).content.decode()
    assert "2 journeys under way on it." in shown and "Versions compared" in shown
    url = f"{versions}{old.number}/move/"
    assert '<option value="kept" selected>' in admin_client.get(url).content.decode()
    assert admin_client.post(url, {"to:gone": "kept"}).status_code == 302
    assert "0 of 2 journeys moved to version 2" in admin_client.get(versions).content.decode()
    moving.run_due(time.monotonic() + 20)
    assert set(Journey.objects.values_list("version__number", "step_id")) == {(2, "kept")}
    admin_client.post(url, {"to:gone": "stay"})
    assert VersionMove.objects.count() == 1
    back = f"{versions}{old.number}/back/"
    assert "What going back to version 1 changes" in admin_client.get(back).content.decode()
    assert admin_client.post(back, {"reason": ""}).status_code == 400
    assert admin_client.post(back, {"reason": "It was better."}).status_code == 302
    campaign.refresh_from_db()
    assert campaign.live_version is not None and campaign.live_version.number == 3
