"""Decide who is meant: which ids lead to one person, who is new, who proves to be whom. Pure.

An email names a person only where a call says so (Customer.io's API); that two have the same trait proves nothing.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from events import sandbox

Key = tuple[str, str]
# As the kinds of an identity and the types of an event are called.
USER, ANONYMOUS, EMAIL = "user", "anonymous", "email"
IDENTIFY, ALIAS = "identify", "alias"


class Call(Protocol):
    """What identification needs of a call: a user id, an anonymous id or an email; an alias has the first and the last.

    ``email`` names the person, alone or, in an identify, beside the user id that they are to have.
    """

    @property
    def type(self) -> str: ...
    @property
    def user_id(self) -> str | None: ...
    @property
    def anonymous_id(self) -> str | None: ...
    @property
    def email(self) -> str | None: ...
    @property
    def previous_id(self) -> str | None: ...


@dataclass(eq=False, slots=True)
class Person:
    """Somebody a request speaks of, as far as it was stored before it; ``last_seen`` in seconds since 1970.

    ``profile_id`` is None until they are stored; ``survivor`` is set by a merge. ``email`` is what somebody without a
    user id is known by; a visitor has neither.
    """

    profile_id: int | None = None
    user_id: str | None = None
    last_seen: float | None = None
    time_zone: str = ""
    language: str = ""
    email: str = ""
    survivor: Person | None = None

    def current(self) -> Person:
        person = self
        while person.survivor is not None:
            person = person.survivor
        return person


@dataclass(slots=True)
class Plan:
    """What has to be written before the calls' events can be. ``people`` answers the calls one by one."""

    index: dict[Key, Person]
    people: list[Person] = field(default_factory=list)
    linked: dict[Key, Person] = field(default_factory=dict)
    moved: dict[Key, Person] = field(default_factory=dict)
    created: list[Person] = field(default_factory=list)
    renamed: dict[int, Person] = field(default_factory=dict)
    merged: list[tuple[Person, Person]] = field(default_factory=list)

    @property
    def changes_people(self) -> bool:
        return bool(self.moved or self.renamed or self.merged)

    def find(self, kind: str, value: str) -> Person | None:
        person = self.index.get((kind, value))
        return person.current() if person else None

    def obtain(self, kind: str, value: str) -> Person:
        """Return the person of an id, a new one when nobody has it."""
        person = self.find(kind, value)
        if person is None:
            person = Person(user_id=value if kind == USER else None)
            self.created.append(person)
            self.link(kind, value, person)
        elif kind == USER and person.user_id is None:
            self._rename(person, value)
        return person

    def obtain_by_email(self, email: str) -> Person:
        """Return the person of an email: the user whose id it is, else whoever has it, else somebody new.

        It leads to the new one as a user id too, for there are applications that use emails as such.
        """
        person = self.find(USER, email) or self.find(*email_key(email))
        if person is None:
            person = Person(email=email)
            self.created.append(person)
            self.link(*email_key(email), person)
            self.link(USER, email, person)
        return person

    def link(self, kind: str, value: str, person: Person) -> None:
        self.index[kind, value] = self.linked[kind, value] = person

    def become(self, person: Person, user_id: str) -> Person:
        """Let ``person`` be the user ``user_id``: by name when nobody is yet, by a merge when somebody is."""
        user = self.find(USER, user_id)
        if user is None:
            self.link(USER, user_id, person)
            self._rename(person, user_id)
            return person
        if user.user_id is None:
            self._rename(user, user_id)
        return self.join(person, user)

    def join(self, person: Person, other: Person) -> Person:
        """Make one person of two; return who stays, with the name of the ``other``."""
        if person is other:
            return other
        if person.profile_id is not None and other.profile_id is None:
            # The other has come up in this very request; the stored profile takes the name and nothing has to move.
            if other.user_id is not None:
                self._rename(person, other.user_id)
            person.email = person.email or other.email
            self._absorb(other, person)
            return person
        other.email = other.email or person.email
        self._absorb(person, other)
        return other

    def _rename(self, person: Person, user_id: str) -> None:
        person.user_id = user_id
        if person.profile_id is not None:
            self.renamed[person.profile_id] = person

    def _absorb(self, loser: Person, winner: Person) -> None:
        loser.survivor = winner
        if loser.profile_id is None:
            self.created.remove(loser)
        else:
            self.merged.append((loser, winner))
            self.renamed.pop(loser.profile_id, None)


def plan(calls: Sequence[Call], known: Mapping[Key, Person]) -> Plan:
    """Decide, in the order of the calls, who each is about and what that changes. Pure."""
    result = Plan(dict(known))
    for call in calls:
        result.people.append(_person_of(call, result))
    return result


def _person_of(call: Call, plan: Plan) -> Person:
    if call.type == ALIAS and call.previous_id and call.user_id:
        return _alias(call.previous_id, call.user_id, plan)
    if call.type == IDENTIFY and (call.user_id or call.email):
        return _identify(call, plan)
    if call.user_id is not None:
        return plan.obtain(USER, call.user_id)
    return plan.obtain_by_email(call.email) if call.email else plan.obtain(ANONYMOUS, call.anonymous_id or "")


def _identify(call: Call, plan: Plan) -> Person:
    """Let a visitor, and whoever was known by the email alone, become the user who is meant.

    An anonymous id or an email that is somebody else's already stays theirs.
    """
    person = plan.obtain(USER, call.user_id) if call.user_id else plan.obtain_by_email(call.email or "")
    if call.user_id and call.email:
        holder = plan.find(*email_key(call.email))
        if holder is None:
            # Not linked: from the next request on it is the trait that leads here, as long as it says so.
            plan.index[email_key(call.email)] = person
        elif holder.user_id is None:
            person = plan.join(holder, person)
    if call.anonymous_id:
        visitor = plan.find(ANONYMOUS, call.anonymous_id)
        if visitor is None:
            plan.link(ANONYMOUS, call.anonymous_id, person)
        elif visitor.user_id is None and not (visitor.email and call.email):
            person = plan.join(visitor, person)
    return person


def _alias(previous_id: str, user_id: str, plan: Plan) -> Person:
    """Let ``previous_id``, whether a user's or a visitor's, be ``user_id`` from now on.

    An anonymous id on which another user has logged in goes over alone: that user is not the one who is meant.
    """
    previous = plan.find(USER, previous_id)
    user = plan.become(previous, user_id) if previous else plan.obtain(USER, user_id)
    # Only now: who was both, by an email without a name, has just become the user.
    visitor = plan.find(ANONYMOUS, previous_id)
    if visitor is not None and visitor.user_id is None:
        user = plan.become(visitor, user_id)
    elif visitor is not None and visitor.current() is not user:
        plan.index[ANONYMOUS, previous_id] = plan.moved[ANONYMOUS, previous_id] = user
    if previous is None and visitor is None:
        # It may still turn up as either.
        plan.link(USER, previous_id, user)
        plan.link(ANONYMOUS, previous_id, user)
    return user


def email_key(email: str) -> Key:
    """Return what an email is found by: it is the same however it is capitalised."""
    return EMAIL, email.strip().lower()


def address_of(email: str) -> str:
    """Return where to write to: a sandbox's emails are kept apart by a prefix, like its other ids."""
    return email.removeprefix(sandbox.PREFIX)
