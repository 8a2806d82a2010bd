"""Publishing freezes; what is published never changes, whoever tries."""

from __future__ import annotations

import pytest
from django.db import DatabaseError, transaction

from campaigns import publishing
from campaigns.models import Campaign, CampaignVersion, LivePeriod
from campaigns.publishing import NotPublishable
from messaging.models import Template, TemplateVersion
from tests.campaigns.flow import make_campaign, make_template, send

pytestmark = pytest.mark.django_db


def test_a_version_freezes_the_draft_and_its_templates() -> None:
    campaign = make_campaign(send())
    first = campaign.live_version
    assert first is not None
    frozen = TemplateVersion.objects.get(pk=first.definition["steps"][0]["template_version"])
    Template.objects.update(subject="Changed")
    frozen.refresh_from_db()
    assert frozen.content["subject"] == "Hello {{ customer.name }}"
    second = publishing.publish(campaign, None, "New words.")
    assert (first.number, second.number) == (1, 2)
    changed = TemplateVersion.objects.get(pk=second.definition["steps"][0]["template_version"])
    assert changed.content["subject"] == "Changed"


@pytest.mark.parametrize("model", [CampaignVersion, TemplateVersion])
def test_the_database_refuses_to_change_what_is_published(model: type[CampaignVersion] | type[TemplateVersion]) -> None:
    make_campaign()
    with pytest.raises(DatabaseError, match="never changes"), transaction.atomic():
        model._default_manager.update(number=99)
    assert model._default_manager.filter(number=1).exists()


@pytest.mark.parametrize(
    ("draft", "reason", "place"),
    [
        ({}, "Why not.", "trigger.event"),
        ({"trigger": {"event": "X"}, "steps": [{"id": "m", "kind": "send", "template": 0}]}, "Y.", "steps[0].template"),
        (None, "  ", "reason"),
    ],
)
def test_what_cannot_run_is_not_published(draft: dict[str, object] | None, reason: str, place: str) -> None:
    good = {"trigger": {"event": "X"}, "steps": [send()]}
    campaign = Campaign.objects.create(name="C", slug="c", draft=good if draft is None else draft)
    with pytest.raises(NotPublishable) as error:
        publishing.publish(campaign, None, reason)
    assert place in [problem.path for problem in error.value.problems]
    assert not CampaignVersion.objects.exists() and not LivePeriod.objects.exists()


def test_a_template_that_cannot_be_rendered_is_a_problem_of_its_step() -> None:
    broken = make_template("Broken", subject="{% if %}")
    draft = {"trigger": {"event": "X"}, "steps": [{"id": "m", "kind": "send", "template": broken.pk}]}
    campaign = Campaign(name="C", slug="c", draft=draft)
    assert [problem.path for problem in publishing.problems(campaign)] == ["steps[0].template"]


def test_one_version_is_live_at_a_time() -> None:
    campaign = make_campaign()
    publishing.publish(campaign, None, "Again.")
    assert [period.version.number for period in LivePeriod.objects.filter(ended_at=None)] == [2]
    publishing.pause(campaign)
    assert campaign.status == Campaign.Status.PAUSED
    assert not LivePeriod.objects.filter(ended_at=None).exists()
    publishing.resume(campaign)
    assert campaign.status == Campaign.Status.LIVE
    assert [period.version.number for period in LivePeriod.objects.filter(ended_at=None)] == [2]
