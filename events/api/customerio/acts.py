"""What calls of Customer.io's API do beside reporting events: devices, deletion, suppression, merges, deliveries."""

from __future__ import annotations

import json
import uuid
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from events import devices, merging, privacy, sandbox
from events.api.authentication import Caller
from events.api.customerio.identifiers import Who
from events.api.customerio.items import Call, unix_time
from events.api.fields import Fields, id_of, object_of, text_of
from events.api.refusal import Refusal
from events.audit import Actor
from events.devices import Described
from events.identifying import email_key
from events.ingest import Item, ingest
from events.models import Event, Profile, Source, SourceKey


class Act(Protocol):
    """Something to be done at once, in a transaction of its own. Doing it twice changes nothing more."""

    def perform(self, caller: Caller, received_at: datetime) -> None:
        """Do it. Raises Refusal."""


@dataclass(frozen=True, slots=True)
class PutDevice:
    who: Who
    device: Described

    def perform(self, caller: Caller, received_at: datetime) -> None:
        person = _obtain(self.who, caller.source, received_at)
        if person is not None:
            devices.put(person.pk, self.device)


@dataclass(frozen=True, slots=True)
class RemoveDevice:
    who: Who
    device_id: str

    def perform(self, caller: Caller, received_at: datetime) -> None:
        person = self.who.find(caller.source)
        if person is not None:
            devices.remove(person.pk, self.device_id)


@dataclass(frozen=True, slots=True)
class Delete:
    """Forget a person. What comes later with the same id makes a new one."""

    who: Who

    def perform(self, caller: Caller, received_at: datetime) -> None:
        require_secret(caller, "delete people")
        person = self.who.find(caller.source)
        if person is not None:
            privacy.erase([person.pk], Actor.of_source(caller.source))


@dataclass(frozen=True, slots=True)
class Suppress:
    """Forget a person and ignore whatever comes later with one of their ids."""

    who: Who

    def perform(self, caller: Caller, received_at: datetime) -> None:
        require_secret(caller, "suppress people")
        actor = Actor.of_source(caller.source)
        person = self.who.find(caller.source)
        if person is not None:
            privacy.erase([person.pk], actor, suppress=True)
        else:
            privacy.suppress_ids(_ids(self.who, caller.source), actor)


@dataclass(frozen=True, slots=True)
class Unsuppress:
    who: Who

    def perform(self, caller: Caller, received_at: datetime) -> None:
        require_secret(caller, "let suppressed people in again")
        privacy.unsuppress_ids(_ids(self.who, caller.source), Actor.of_source(caller.source))


@dataclass(frozen=True, slots=True)
class Merge:
    """Make one person of two: the secondary goes, and their ids lead to the primary."""

    primary: Who
    secondary: Who

    def perform(self, caller: Caller, received_at: datetime) -> None:
        require_secret(caller, "merge people")
        tried: tuple[int, int] | None = None
        # Whoever says it twice, also at the same moment, finds that they are one person already.
        while (pair := self._pair(caller.source)) is not None:
            try:
                merging.merge_people(*pair, Actor.of_source(caller.source))
                return
            except merging.CannotMerge as error:
                if pair == tried:
                    raise Refusal("cannot_merge", str(error), "secondary") from None
                tried = pair

    def _pair(self, source: Source) -> tuple[int, int] | None:
        """Return the two, the one who goes first; None when they are one. Raises Refusal."""
        winner = self._known(self.primary, "primary", source)
        loser = self._known(self.secondary, "secondary", source)
        return (loser.pk, winner.pk) if loser.pk != winner.pk else None

    def _known(self, who: Who, name: str, source: Source) -> Profile:
        person = who.find(source)
        if person is None:
            raise Refusal("not_found", f"The {name} person has to be there: nobody is known as {who.text}.", name)
        return person


def require_secret(caller: Caller, what: str) -> None:
    """Refuse a public key: anybody can read it in the page it sits in."""
    if caller.kind != SourceKey.Kind.SECRET:
        raise Refusal("secret_key_needed", f"Only a secret key of this source may {what}.", "Authorization", 403)


def described_device(fields: Fields, id_field: str, received_at: datetime) -> Described:
    """Read a device. Raises Refusal."""
    device_id = device_id_of(fields, id_field)
    platform = (text_of(fields, "platform") or "").strip()
    if not platform:
        raise Refusal("missing_field", "A device needs its platform, such as ios or android.", "platform")
    return Described(
        device_id,
        platform,
        unix_time(fields, "last_used") or received_at,
        json.loads(object_of(fields, "attributes")),
    )


def device_id_of(fields: Fields, id_field: str) -> str:
    device_id = id_of(fields, id_field)
    if not device_id:
        raise Refusal("missing_field", f"A device needs its {id_field}.", id_field)
    return device_id


def nobody(own_id: str) -> Refusal:
    return Refusal("not_found", f"Nobody has the cio_id {own_id}.", "cio_id")


def _obtain(who: Who, source: Source, received_at: datetime) -> Profile | None:
    """Return the person, made when nobody is known by that; None for whoever is suppressed. Raises Refusal."""
    person = who.find(source)
    if person is None:
        if who.own_id:
            raise nobody(who.own_id)
        said = Item(Event.Type.IDENTIFY, str(uuid.uuid4()), received_at, repeatable=False)
        ingest(source, [Call(who, said).about(who).item], received_at)
        person = who.find(source)
    return person


def _ids(who: Who, source: Source) -> list[str]:
    """Return the ids to be put on the list of the suppressed, or taken off it. Raises Refusal."""
    if who.own_id:
        raise nobody(who.own_id)
    texts = {who.text, email_key(who.text)[1]} if who.email else {who.text}
    return sorted(sandbox.own(text) if source.is_sandbox else text for text in texts)
