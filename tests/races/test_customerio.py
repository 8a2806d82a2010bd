"""Many calls of Customer.io's API at once about the same few people and objects: all is done, and nobody is refused."""

from __future__ import annotations

import random
from typing import Any

import pytest

from events.models import Event, Group, Membership, Profile
from messaging.models import Unsubscription
from tests.events.api.customerio.account import Account
from tests.races.together import at_once

pytestmark = [pytest.mark.race, pytest.mark.django_db(transaction=True)]
PEOPLE, OBJECTS, THREADS, ROUNDS = 6, 4, 8, 5


def items(seed: int) -> list[dict[str, Any]]:
    """Return a batch that speaks of everybody and everything, in an order of its own."""
    order = random.Random(seed)
    found: list[dict[str, Any]] = []
    for number in range(PEOPLE):
        person = {"type": "person", "identifiers": {"id": f"p{number}"}}
        acme = {"object_type_id": "1", "object_id": f"o{order.randrange(OBJECTS)}"}
        about = [{"identifiers": acme, "relationship_attributes": {"seed": seed}}]
        said = {"anonymous_id": f"v{number}", "seed": seed, "unsubscribed": True}
        found.append({**person, "action": "identify", "attributes": said, "cio_relationships": about})
        found.append({**person, "action": "event", "name": "Hi", "id": f"{seed}-{number}"})
        visitor = [{"identifiers": {"anonymous_id": f"v{number}"}}, {"identifiers": {"email": f"e{number}@x.io"}}]
        thing = {"type": "object", "action": "identify", "identifiers": acme, "attributes": {"n": seed}}
        found.append({**thing, "cio_relationships": visitor})
    order.shuffle(found)
    return found


def test_batches_about_the_same_people_and_objects_never_fail() -> None:
    account = Account.make()

    def send(thread: int) -> list[int]:
        return [account.batch(*items(100 * thread + n)).status_code for n in range(ROUNDS)]

    answers = at_once([lambda thread=thread: send(thread) for thread in range(THREADS)])  # type: ignore[misc]
    assert {status for statuses in answers for status in statuses} == {200}
    assert Event.objects.filter(name="Hi").count() == THREADS * ROUNDS * PEOPLE
    named = Profile.objects.filter(user_id__startswith="p")
    assert named.count() == PEOPLE
    # Every visitor has become one of them; besides there are those of the emails.
    assert Profile.objects.count() == 2 * PEOPLE
    assert Group.objects.count() == OBJECTS
    assert Membership.objects.filter(profile__in=named).count() <= PEOPLE * OBJECTS
    assert Unsubscription.objects.count() == PEOPLE


def test_two_who_are_merged_from_all_sides_become_one() -> None:
    account = Account.make()
    for name in ("ada", "ben", "cloe"):
        account.identify(name)
    pairs = [("ada", "ben"), ("ada", "cloe"), ("ada", "ben"), ("ada", "cloe")]

    def merge(primary: str, secondary: str) -> int:
        both = {"primary": {"id": primary}, "secondary": {"id": secondary}}
        return int(account.call("POST", "/api/v1/merge_customers", both).status_code)

    answers = at_once([lambda pair=pair: merge(*pair) for pair in pairs])  # type: ignore[misc]
    assert set(answers) == {200}
    assert Profile.objects.get().user_id == "ada"
