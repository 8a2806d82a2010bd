"""Who is let in: control groups and roll-outs, from the event to the figures."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.db import IntegrityError, transaction
from django.utils import timezone

from campaigns import metrics, publishing, rollouts
from campaigns.engine import groups
from campaigns.merging import follow_merge
from campaigns.models import Admission, Campaign, Decision, Journey, Safeguards
from campaigns.reasons import Ending, Entry
from events import testers
from events.models import Event, Profile
from messaging.models import Message
from tests.campaigns.flow import delay, happens, make_campaign, send, settle, statements
from tests.factories import make_profile

pytestmark = pytest.mark.django_db

GOAL = {"event": "Order Completed", "hours": 24}


def let_in(campaign: Campaign, **columns: Any) -> None:
    Admission.objects.update_or_create(campaign=campaign, defaults=columns)


def make_person(campaign: Campaign, held: bool, percent: int = 50) -> Profile:
    """Make people until one is in the control group, or is not."""
    while True:
        person = make_profile(email="ada@example.com")
        if groups.is_held_out(campaign.pk, person.pk, percent) is held:
            return person


def enter(person: Profile, name: str = "Signed Up", **columns: Any) -> Decision:
    event_id = happens(person, name, **columns)
    settle()
    return Decision.objects.get(event_id=event_id)


def figures(campaign: Campaign) -> dict[str, int]:
    return metrics.totals(campaign).get("", {})


# --- Control groups ---


def test_who_is_held_out_gets_nothing_and_has_a_journey_that_is_over() -> None:
    campaign = make_campaign(send())
    let_in(campaign, holdout=50)
    ada, bob = make_person(campaign, True), make_person(campaign, False)
    assert (enter(ada).entry, enter(bob).entry) == (Entry.HELD_OUT, Entry.ENTERED)
    held = Journey.objects.get(profile=ada)
    assert (held.state, held.ending, held.step_id, held.due_at) == ("ended", Ending.HELD_OUT, "", None)
    assert held.ended_at == held.entered_at and not held.visits.exists()
    assert Decision.objects.get(profile=ada).journey == held
    assert list(Message.objects.values_list("profile", flat=True)) == [bob.pk]
    assert not Event.objects.filter(profile=ada, name__startswith="Journey").exists()
    assert figures(campaign) == {"entered": 1, "ended": 1, "held_out": 1, "treated": 1}


def test_the_goal_of_both_sides_is_counted_apart() -> None:
    campaign = make_campaign(send(), goal=GOAL)
    let_in(campaign, holdout=50)
    people = [make_person(campaign, held) for held in (True, True, False, False, False)]
    for person in people:
        enter(person)
    for person in (people[0], people[2], people[3]):
        happens(person, "Order Completed")
    settle()
    found = figures(campaign)
    assert (found["held_out"], found["held_out_goal"]) == (2, 1)
    assert (found["treated"], found["treated_goal"]) == (3, 2)
    assert (found["entered"], found["converted"]) == (3, 2), "the campaign's own figures know nothing of the others"
    assert Event.objects.filter(name="Goal Reached").count() == 2


def test_a_goal_beyond_its_window_counts_for_nobody() -> None:
    campaign = make_campaign(send(), goal=GOAL)
    let_in(campaign, holdout=50)
    ada = make_person(campaign, True)
    enter(ada, timestamp=timezone.now() - timedelta(hours=30))
    enter_order = happens(ada, "Order Completed")
    settle()
    assert enter_order and "held_out_goal" not in figures(campaign)


def test_rules_of_entry_count_who_was_held_out() -> None:
    campaign = make_campaign(send(), reentry={"rule": "once"})
    let_in(campaign, holdout=50)
    ada = make_person(campaign, True)
    assert [enter(ada).entry for _ in range(2)] == [Entry.HELD_OUT, Entry.NOT_AGAIN]
    later = make_campaign(send(), event="Logged In", reentry={"rule": "period", "hours": 5})
    let_in(later, holdout=50)
    bob = make_person(later, True)
    assert [enter(bob, "Logged In").entry for _ in range(2)] == [Entry.HELD_OUT, Entry.TOO_SOON]


def test_somebody_who_comes_often_counts_once_on_either_side() -> None:
    campaign = make_campaign(send(), reentry={"rule": "always"})
    let_in(campaign, holdout=50)
    ada, bob = make_person(campaign, True), make_person(campaign, False)
    for person in (ada, bob):
        for _ in range(3):
            happens(person)
        settle()
        enter(person)
    assert {(f, n) for f, n in figures(campaign).items() if f != "ended"} >= {("held_out", 1), ("treated", 1)}
    assert Journey.objects.filter(profile=ada, ending=Ending.HELD_OUT).count() == 4


def test_who_is_under_way_when_the_group_grows_is_in_already() -> None:
    campaign = make_campaign(delay(), send(), reentry={"rule": "always"})
    ada = make_person(campaign, True)
    assert enter(ada).entry == Entry.ENTERED
    let_in(campaign, holdout=50)
    assert enter(ada).entry == Entry.ALREADY_IN


def test_the_group_stays_the_same_across_versions() -> None:
    campaign = make_campaign(send(), reentry={"rule": "always"})
    let_in(campaign, holdout=50)
    ada = make_person(campaign, True)
    first = enter(ada)
    campaign.draft = {**campaign.draft, "steps": [delay(), send()]}
    campaign.save()
    publishing.publish(campaign, None, "Another one.")
    second = enter(ada)
    assert first.version_id != second.version_id
    assert first.entry == second.entry == Entry.HELD_OUT


def test_the_control_group_of_all_is_held_out_wherever_it_is_not_left_out() -> None:
    Safeguards.objects.create(holdout=50)
    campaign, receipt = make_campaign(send()), make_campaign(send(), event="Order Completed")
    let_in(receipt, in_global=False)
    ada = make_profile()
    while not groups.is_held_out_of_all(ada.pk, 50):
        ada = make_profile()
    assert enter(ada).entry == Entry.HELD_OUT_OF_ALL
    assert enter(ada, "Order Completed").entry == Entry.ENTERED
    assert (figures(campaign), "treated" in figures(receipt)) == ({"held_out": 1}, False)


def test_test_people_are_never_held_out_nor_turned_away() -> None:
    campaign = make_campaign(send())
    let_in(campaign, holdout=50, stages=[1, 100])
    ada = make_person(campaign, True)
    while groups.is_rolled_out(campaign.pk, ada.pk, 1):
        ada = make_person(campaign, True)
    testers.switch([ada.pk], True)
    assert enter(ada).entry == Entry.ENTERED
    assert figures(campaign) == {}


def test_conditions_do_not_say_that_somebody_held_out_has_been_in() -> None:
    first = make_campaign(send(), name="First")
    let_in(first, holdout=50)
    where = {"journey": "first", "is": "been_in"}
    make_campaign(send(), event="Logged In", trigger={"event": "Logged In", "where": where, "grace_minutes": 0})
    ada, bob = make_person(first, True), make_person(first, False)
    for person in (ada, bob):
        enter(person)
    assert [enter(person, "Logged In").entry for person in (ada, bob)] == [Entry.FILTERED, Entry.ENTERED]


def test_more_than_half_cannot_be_held_out() -> None:
    with pytest.raises(IntegrityError), transaction.atomic():
        let_in(make_campaign(send()), holdout=51)


# --- Merges ---


def test_a_merge_with_somebody_held_out_stops_no_journey_and_neither_is_measured() -> None:
    campaign = make_campaign(delay(), send(), goal=GOAL)
    let_in(campaign, holdout=50)
    ada, bob = make_person(campaign, True), make_person(campaign, False)
    for person in (ada, bob):
        enter(person)
    assert (figures(campaign)["held_out"], figures(campaign)["treated"]) == (1, 1)
    follow_merge(None, [(ada.pk, bob.pk)])
    assert sorted(Journey.objects.values_list("state", "ending", "measured")) == [
        ("ended", "held_out", False),
        ("waiting", "", False),
    ]
    happens(bob, "Order Completed")
    settle()
    found = figures(campaign)
    assert (found["held_out"], found["treated"], found["converted"]) == (0, 0, 1)
    assert "held_out_goal" not in found and "treated_goal" not in found


def test_a_merge_within_one_group_changes_no_figure() -> None:
    campaign = make_campaign(send())
    let_in(campaign, holdout=50)
    people = [make_person(campaign, held) for held in (True, True, False, False)]
    for person in people:
        enter(person)
    before = figures(campaign)
    follow_merge(None, [(people[0].pk, people[1].pk), (people[2].pk, people[3].pk)])
    assert figures(campaign) == before


def test_after_a_merge_the_one_who_stays_says_which_group() -> None:
    campaign = make_campaign(send(), reentry={"rule": "always"})
    let_in(campaign, holdout=50)
    ada, bob = make_person(campaign, True), make_person(campaign, False)
    enter(bob)
    follow_merge(None, [(bob.pk, ada.pk)])
    assert enter(ada).entry == Entry.HELD_OUT


# --- Roll-outs ---


def test_a_stage_lets_its_share_in_and_the_next_one_more() -> None:
    campaign = make_campaign(send(), reentry={"rule": "always"})
    let_in(campaign, stages=[1, 10, 50, 100])
    people = [make_profile() for _ in range(300)]
    inside = []
    for stage, share in enumerate([1, 10, 50, 100]):
        Decision.objects.all().delete()
        for person in people:
            happens(person)
        settle()
        entered = set(Decision.objects.filter(entry=Entry.ENTERED).values_list("profile", flat=True))
        assert entered == {p.pk for p in people if groups.is_rolled_out(campaign.pk, p.pk, share)}
        outside = Decision.objects.exclude(entry=Entry.ENTERED)
        assert set(outside.values_list("entry", flat=True)) <= {Entry.NOT_ROLLED_OUT}
        inside.append(entered)
        rollouts.next_stage(campaign, stage)
    assert inside[0] <= inside[1] <= inside[2] <= inside[3] == {p.pk for p in people}


def test_who_was_outside_comes_in_later_although_the_campaign_is_for_once() -> None:
    campaign = make_campaign(send(), reentry={"rule": "once"})
    let_in(campaign, stages=[1, 100])
    ada = make_profile()
    while groups.is_rolled_out(campaign.pk, ada.pk, 1):
        ada = make_profile()
    assert enter(ada).entry == Entry.NOT_ROLLED_OUT
    assert rollouts.next_stage(campaign, 0)
    assert enter(ada).entry == Entry.ENTERED


def test_the_next_stage_begins_once_however_often_the_button_is_pressed() -> None:
    campaign = make_campaign(send())
    let_in(campaign, stages=[1, 10, 100])
    assert [rollouts.next_stage(campaign, 0) for _ in range(2)] == [True, False]
    assert rollouts.next_stage(campaign, 1)
    assert not rollouts.next_stage(campaign, 2), "it was the last one"
    assert Admission.objects.get().share == 100


def test_stages_go_on_by_themselves_when_their_time_is_over_and_the_campaign_is_live() -> None:
    campaign = make_campaign(send())
    rollouts.set_up(campaign, rollouts.Wanted(0, True, [1, 10, 100], 24))
    now = timezone.now()
    assert rollouts.advance_due(now + timedelta(hours=23)) == 0
    assert rollouts.advance_due(now + timedelta(hours=25)) == 1
    assert rollouts.advance_due(now + timedelta(hours=26)) == 0
    publishing.pause(campaign)
    assert rollouts.advance_due(now + timedelta(hours=99)) == 0
    publishing.resume(campaign)
    assert rollouts.advance_due(timezone.now() + timedelta(hours=23)) == 0, "the stage begins anew"
    assert rollouts.advance_due(timezone.now() + timedelta(hours=25)) == 1
    assert Admission.objects.get().share == 100
    assert rollouts.advance_due(timezone.now() + timedelta(days=99)) == 0


def test_by_hand_means_that_no_stage_begins_by_itself() -> None:
    rollouts.set_up(make_campaign(send()), rollouts.Wanted(0, True, [1, 100], None))
    assert rollouts.advance_due(timezone.now() + timedelta(days=99)) == 0


def test_changed_stages_keep_the_share_that_was_reached_where_they_have_it() -> None:
    campaign = make_campaign(send())
    rollouts.set_up(campaign, rollouts.Wanted(0, True, [1, 10, 100], None))
    rollouts.next_stage(campaign, 0)
    assert rollouts.set_up(campaign, rollouts.Wanted(0, True, [5, 10, 20, 100], None)).share == 10
    assert rollouts.set_up(campaign, rollouts.Wanted(0, True, [2, 100], None)).share == 2
    assert rollouts.set_up(campaign, rollouts.Wanted(0, True, [], None)).share == 100


def test_who_is_let_in_costs_one_statement_however_many_come() -> None:
    campaign = make_campaign(delay(), reentry={"rule": "always"})
    let_in(campaign, holdout=20, stages=[50, 100])
    counted = []
    for number in (20, 20, 200):
        for _ in range(number):
            happens(make_profile())
        counted.append(statements(settle))
    assert counted[1] == counted[2]
