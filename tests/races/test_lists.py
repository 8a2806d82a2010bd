"""Files and calls of the API fill the same list at once: it holds what they would leave one after the other."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Sequence
from itertools import pairwise

import pytest
from django.db.models import Sum
from django.test import Client

from events.models import Event, Import, Profile, Segment, SegmentHour
from events.segments import changes
from events.transfers import imports
from tests.events.api.manage.test_lists import token
from tests.events.segments.test_membership import members
from tests.events.transfers.test_listing import upload
from tests.factories import make_profile
from tests.races.together import at_once

pytestmark = [pytest.mark.race, pytest.mark.django_db(transaction=True)]
PEOPLE, NAMED, ROUNDS, WORKERS, CALLS = 60, 25, 6, 4, 8
LISTINGS = ("add", "remove", "replace", "add", "replace")


@pytest.fixture
def vip(monkeypatch: pytest.MonkeyPatch) -> Segment:
    # So that each file takes many transactions, which may come between each other.
    monkeypatch.setattr(imports, "SLICE_ROWS", 3)
    monkeypatch.setattr("events.transfers.listing.LEAVING", 3)
    for number in range(PEOPLE):
        make_profile(f"u{number}")
    return Segment.objects.create(slug="vip", name="VIP", kind=Segment.Kind.MANUAL)


def some(of: Sequence[str]) -> list[str]:
    return random.sample(of, NAMED)


def of_file(vip: Segment, names: Sequence[str], listing: str) -> Import:
    return upload(vip, "\n".join(["user_id", *names, ""]), listing, triggers=True)


def work_until_done() -> None:
    while Import.objects.filter(state__in=(Import.State.RUNNING, Import.State.UPLOADED)).exists():
        imports.work(time.monotonic() + 5)
        time.sleep(0.01)


def after(inside: set[str], listing: str, names: Sequence[str]) -> set[str]:
    """Return who is on a list of people ``inside`` once a file is done with it."""
    return {"add": inside | set(names), "remove": inside - set(names), "replace": set(names)}[listing]


def test_files_leave_a_list_as_if_they_had_come_one_after_the_other(vip: Segment) -> None:
    names = [f"u{number}" for number in range(PEOPLE)]
    inside: set[str] = set()
    for _ in range(ROUNDS):
        files = [(listing, some(names)) for listing in LISTINGS]
        uploads = [of_file(vip, named, listing) for listing, named in files]
        starts: list[Callable[[], object]] = [
            lambda new=new: imports.begin(new, Import.State.RUNNING)  # type: ignore[misc]
            for new in uploads
        ]
        at_once([*starts, *[work_until_done] * WORKERS])
        begun = dict(Import.objects.filter(pk__in=[new.pk for new in uploads]).values_list("pk", "begun_at"))
        assert len(set(begun.values())) == len(uploads)
        for new, (listing, named) in sorted(zip(uploads, files, strict=True), key=lambda pair: begun[pair[0].pk]):
            inside = after(inside, listing, named)
            assert Import.objects.get(pk=new.pk).state == Import.State.DONE
        assert names_of(vip) == inside
    figures_are_right(vip)


def test_calls_come_between_files_and_nobody_is_lost(vip: Segment) -> None:
    names = [f"u{number}" for number in range(PEOPLE)]
    # Files and calls disagree about the first half of the people; of the others each is named by one side alone.
    both, file_only, call_only = names[:30], names[30:45], names[45:]
    add = of_file(vip, [*both[:15], *file_only], "add")
    remove = of_file(vip, both[15:], "remove")
    head = {"Authorization": f"Bearer {token('segments:write')}"}

    def call() -> None:
        for verb in ("remove", "add"):
            said = {verb: random.sample(both, len(both)) + (call_only if verb == "add" else [])}
            path = f"/api/v1/manage/segments/{vip.slug}/people/"
            answer = Client().post(path, said, content_type="application/json", headers=head)
            assert answer.status_code == 200, answer.content

    for new in (add, remove):
        imports.begin(new, Import.State.RUNNING)
    at_once([*[call] * CALLS, *[work_until_done] * WORKERS])
    assert {*file_only, *call_only} <= names_of(vip), "whoever only one side has named is where that put them"
    assert set(Import.objects.values_list("state", flat=True)) == {Import.State.DONE}
    figures_are_right(vip)


def names_of(vip: Segment) -> set[str]:
    return set(Profile.objects.filter(pk__in=members(vip)).values_list("user_id", flat=True))


def figures_are_right(vip: Segment) -> None:
    """See that size and chart follow from what the log tells, and that each person enters and leaves by turns."""
    while changes.fold():
        pass
    vip.refresh_from_db()
    assert vip.size == len(members(vip))
    grown = SegmentHour.objects.filter(segment=vip).aggregate(entered=Sum("entered"), gone=Sum("gone"))
    told = {name: Event.objects.filter(name=name).count() for name in (changes.ENTERED, changes.LEFT)}
    assert (grown["entered"], grown["gone"]) == (told[changes.ENTERED], told[changes.LEFT])
    assert SegmentHour.objects.filter(segment=vip).latest("hour").size == vip.size
    for profile in Profile.objects.all():
        news = list(Event.objects.filter(profile=profile).order_by("pk").values_list("name", flat=True))
        assert news[:1] in ([], [changes.ENTERED])
        assert all(one != other for one, other in pairwise(news)), news
