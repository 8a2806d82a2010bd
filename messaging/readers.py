"""Whose consent a test of a template needs: a colleague's never, else that of whoever has the address."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from django.contrib.auth import get_user_model
from django.db.models.functions import Lower

from events.models import Profile
from messaging.models import TEST_KEY, Message, Purpose


@dataclass(frozen=True, slots=True)
class Reader:
    """The people who read a message. ``is_colleague``: they work here, and look at it for that."""

    ids: tuple[int, ...] = ()
    is_colleague: bool = False


NOBODY = Reader()


def of_tests(messages: Iterable[Message], test_addresses: str) -> dict[str, Reader]:
    """Return who reads the tests among ``messages``, by address in lower case. Two statements, none without tests."""
    tests = [message for message in messages if message.key.startswith(TEST_KEY)]
    addresses = {
        message.address.lower() for message in tests if message.purpose == Purpose.MARKETING and message.address
    }
    if not addresses:
        return {}
    allowed = {line.strip().lower() for line in test_addresses.splitlines() if line.strip()}
    users = get_user_model().objects.filter(is_active=True, is_staff=True).annotate(lower=Lower("email"))
    colleagues = set(users.filter(lower__in=addresses).values_list("lower", flat=True))
    colleagues |= {address for address in addresses if allowed & {address, "@" + address.rpartition("@")[2]}}
    people: dict[str, list[int]] = {address: [] for address in addresses - colleagues}
    known = Profile.objects.filter(is_sandbox=False).annotate(lower=Lower("email")).filter(lower__in=list(people))
    for pk, address in known.values_list("pk", "lower"):
        people[address].append(pk)
    found = {address: Reader(tuple(sorted(ids))) for address, ids in people.items()}
    return found | dict.fromkeys(colleagues, Reader(is_colleague=True))
