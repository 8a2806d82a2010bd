"""Find the person that somebody outside names: by user id, email, anonymous id or our own id.

An id that was merged away leads to the person it became.
"""

from __future__ import annotations

import random
from collections.abc import Collection, Iterable

from django.db import connection
from django.db.models import Max, Min, QuerySet
from django.db.models.functions import Lower

from events import sandbox
from events.identifying import EMAIL, address_of, email_key
from events.models import Identity, Profile

OWN_PREFIX = "cio_"
MAX_OWN = 2**63 - 1
HOLD = "SELECT id FROM events_profile WHERE id = ANY(%s) ORDER BY id FOR NO KEY UPDATE"


def own_id(profile: Profile) -> str:
    """Return the id that we gave a person, as Customer.io's libraries know it."""
    return f"{OWN_PREFIX}{profile.pk}"


def hold(profile_ids: Iterable[int], *, waiting: bool = True) -> list[int]:
    """Hold people until the caller's transaction ends, in their order; return those who are there. One statement.

    Without ``waiting`` those whom others hold are left out.
    """
    with connection.cursor() as cursor:
        cursor.execute(HOLD if waiting else f"{HOLD} SKIP LOCKED", [sorted(set(profile_ids))])
        return [pk for (pk,) in cursor.fetchall()]


def ids_at_random(number: int) -> set[int]:
    """Return up to ``number`` ids of people, each as likely as any; some may be nobody's. One statement."""
    ends = Profile.objects.aggregate(oldest=Min("pk"), newest=Max("pk"))
    if ends["newest"] is None:
        return set()
    chance = random.SystemRandom()
    return {chance.randint(ends["oldest"], ends["newest"]) for _ in range(number)}


def by_any(identifier: str) -> Profile | None:
    """Return the person of a user id, or of an email when it is nobody's user id."""
    return by_id(identifier) or by_email(identifier)


def by_id(user_id: str) -> Profile | None:
    """Return the person a user id leads to; one that was made by hand has no identity yet."""
    return _by_identity(Identity.Kind.USER, user_id) or _first(Profile.objects.filter(user_id=user_id), user_id)


def by_email(email: str) -> Profile | None:
    """Return the person an email leads to, as calls that name one by it find them (``events.identifying``)."""
    value = email_key(email)[1]
    if not value:
        return None
    users = Profile.objects.alias(lower=Lower("email")).filter(
        lower=address_of(value), user_id__isnull=False, is_sandbox=sandbox.is_own(value)
    )
    return _by_identity(EMAIL, value) or _first(users.order_by("pk"), value)


def by_many(identifiers: Collection[str]) -> dict[str, Profile]:
    """Return the people of user ids, or of emails that are nobody's user id, as ``by_any`` does. Three statements."""
    wanted = {name for name in identifiers if "\0" not in name}
    known = Identity.objects.filter(kind=Identity.Kind.USER, value__in=wanted).select_related("profile")
    found = {identity.value: identity.profile for identity in known}
    for profile in Profile.objects.filter(user_id__in=wanted - found.keys()):
        found[str(profile.user_id)] = profile
    emails = {name: key for name in wanted - found.keys() if (key := email_key(name)[1])}
    users = Profile.objects.alias(lower=Lower("email")).filter(
        lower__in={address_of(key) for key in emails.values()}, is_sandbox=False
    )
    # A person whom a call has named by the email is found before one who only has it.
    by_address = {profile.email.lower(): profile for profile in users.exclude(user_id=None).order_by("-pk")}
    named = Identity.objects.filter(kind=EMAIL, value__in=emails.values()).select_related("profile")
    by_key = {identity.value: identity.profile for identity in named}
    for name, key in emails.items():
        if person := by_key.get(key) or by_address.get(address_of(key)):
            found[name] = person
    return found


def by_anonymous_id(anonymous_id: str) -> Profile | None:
    return _by_identity(Identity.Kind.ANONYMOUS, anonymous_id)


def by_own_id(own: str) -> Profile | None:
    return by_own_ids([own]).get(own)


def by_own_ids(owns: Iterable[str]) -> dict[str, Profile]:
    """Return the people of ids of our own; the prefix may be missing. One statement."""
    numbers = {own: number for own in owns if (number := _number(own)) is not None}
    found = Profile.objects.in_bulk(set(numbers.values()))
    return {own: found[number] for own, number in numbers.items() if number in found}


def _number(own: str) -> int | None:
    digits = own.removeprefix(OWN_PREFIX)
    number = int(digits) if digits.isascii() and digits.isdigit() and len(digits) < 20 else MAX_OWN + 1
    return number if number <= MAX_OWN else None


def _by_identity(kind: str, value: str) -> Profile | None:
    if "\0" in value:
        return None
    identity = Identity.objects.filter(kind=kind, value=value).select_related("profile").first()
    return identity.profile if identity else None


def _first(rows: QuerySet[Profile], value: str) -> Profile | None:
    """Return the first of ``rows``, unless ``value``, by which they are looked for, is no text that can be stored."""
    return rows.first() if "\0" not in value else None
