"""Whom a call of Customer.io's API names: by the application's id, an email, an anonymous id or our own id."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from events import people, raw_json, sandbox
from events.api.fields import MAX_TEXT, NO_IDS, Fields, id_of
from events.api.refusal import Refusal
from events.models import Identity, Profile, Source

_EMAIL = re.compile(r"[^\s@/]+@[^\s@/]+\.[^\s@/.]+")
_OWN = re.compile(rf"{people.OWN_PREFIX}[0-9]+")


@dataclass(frozen=True, slots=True)
class Who:
    """A person as a call names them: exactly one of these is there. ``own_id`` is one that we gave them."""

    user_id: str | None = None
    email: str | None = None
    anonymous_id: str | None = None
    own_id: str | None = None

    @property
    def text(self) -> str:
        return self.user_id or self.email or self.anonymous_id or self.own_id or ""

    def named(self, names: Mapping[str, Who]) -> Who:
        """Return the same person by another name, if this is an id of ours."""
        return names[self.own_id] if self.own_id else self

    def find(self, source: Source) -> Profile | None:
        """Return the person as calls of this source find them; None when nobody is known by that."""
        if self.own_id:
            profile = people.by_own_id(self.own_id)
            return profile if profile and profile.is_sandbox == source.is_sandbox else None
        text = sandbox.own(self.text) if source.is_sandbox else self.text
        if self.user_id:
            return people.by_id(text)
        return people.by_any(text) if self.email else people.by_anonymous_id(text)


def of_path(identifier: str) -> Who:
    """Read the identifier in an address: an email and an id of ours are known by their looks. Raises Refusal."""
    if not identifier.strip() or identifier in NO_IDS:
        raise Refusal("missing_field", "The address needs the id of a person.", "identifier")
    if len(identifier) > MAX_TEXT:
        raise Refusal("invalid_value", f"The identifier may have {MAX_TEXT} characters.", "identifier")
    if "\0" in identifier or raw_json.REPLACEMENT in identifier or sandbox.is_own(identifier):
        raise Refusal("invalid_value", "The identifier holds what no id may hold.", "identifier")
    if _OWN.fullmatch(identifier):
        return Who(own_id=identifier)
    return Who(email=identifier) if is_email(identifier) else Who(user_id=identifier)


def of_fields(fields: Fields, name: str) -> Who:
    """Read an object such as ``{"email": "ada@example.com"}``; the surest of several counts. Raises Refusal."""
    if own_id := id_of(fields, "cio_id"):
        return Who(own_id=own_id)
    if user_id := id_of(fields, "id"):
        return Who(user_id=user_id)
    if email := id_of(fields, "email"):
        if not is_email(email.strip()):
            raise Refusal("invalid_value", "The email has to be an address such as ada@example.com.", "email")
        return Who(email=email.strip())
    if anonymous_id := id_of(fields, "anonymous_id"):
        return Who(anonymous_id=anonymous_id)
    raise Refusal("missing_field", f"{name} needs an id, an email, a cio_id or an anonymous_id.", name)


def is_email(text: str) -> bool:
    return _EMAIL.fullmatch(text) is not None


def by_other_names(own_ids: Iterable[str], source: Source) -> dict[str, Who]:
    """Return for ids of our own by what else calls can name the same people. Two statements at most."""
    found = {own: who for own, who in people.by_own_ids(own_ids).items() if who.is_sandbox == source.is_sandbox}
    nameless = [profile.pk for profile in found.values() if profile.user_id is None]
    kinds = (Identity.Kind.ANONYMOUS, Identity.Kind.EMAIL)
    identities = Identity.objects.filter(profile__in=nameless, kind__in=kinds).order_by("kind") if nameless else []
    # Of several the email stays, whose kind comes after the anonymous ids.
    names = {identity.profile_id: _who(identity.kind, identity.value) for identity in identities}
    names |= {profile.pk: _who(Identity.Kind.USER, profile.user_id) for profile in found.values() if profile.user_id}
    return {own: names[profile.pk] for own, profile in found.items() if profile.pk in names}


def _who(kind: str, value: str) -> Who:
    value = value.removeprefix(sandbox.PREFIX)
    if kind == Identity.Kind.USER:
        return Who(user_id=value)
    return Who(email=value) if kind == Identity.Kind.EMAIL else Who(anonymous_id=value)
