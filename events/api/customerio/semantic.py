"""Track calls that mean more than that something happened: by their names they delete, suppress, name devices …

Customer.io's pipelines have no other words for these. The names are reserved there, and here below ``/cdp`` alone.
Source: https://docs.customer.io/integrations/data-in/semantic-events/cio-journeys/
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import datetime

import msgspec
from msgspec import Raw

from events import groups
from events.api.customerio import acts, consent, objects, reports
from events.api.customerio.acts import Act
from events.api.customerio.identifiers import Who
from events.api.customerio.items import NULL, Call, attributes_of
from events.api.customerio.performing import Operation, Rejected, Step
from events.api.fields import OBJECT, Fields, object_of, text_or_nothing
from events.api.refusal import Refusal
from events.devices import Described
from events.ingest import Item
from events.models import Event
from events.plan import WORDS

RELATIONSHIP = "relationshipAttributes"
# Traits of a group call that are none of the group.
ABOUT_THE_GROUP = {"objectTypeId", "object_type_id", RELATIONSHIP}


def grouped(items: Sequence[Item]) -> tuple[list[Item], Rejected]:
    """Return the calls, those about groups with the object type and the relationship that stand among their traits."""
    found: list[Item] = []
    rejected: Rejected = []
    for item in items:
        try:
            found.append(_grouped(item) if item.type == Event.Type.GROUP else item)
        except Refusal as refusal:
            rejected.append((item.index, refusal))
    return found, rejected


def _grouped(item: Item) -> Item:
    said = OBJECT.decode(item.properties)
    if said.keys().isdisjoint(ABOUT_THE_GROUP):
        return item
    of_type = said.get("objectTypeId", said.get("object_type_id", NULL))
    type_, _ = objects.key_of({"object_id": Raw(msgspec.json.encode(item.name)), "object_type_id": of_type})
    traits = {name: raw for name, raw in said.items() if name not in ABOUT_THE_GROUP}
    return replace(item, group=groups.Described(type_, traits, attributes_of(said, RELATIONSHIP)))


def are_among(items: Sequence[Item]) -> bool:
    """Say whether any of these calls is more than an event, or than traits."""
    return any(_act_of(item) is not None or consent.is_among(item.traits) for item in items)


def steps(items: Sequence[Item], received_at: datetime) -> tuple[list[Step], Rejected]:
    """Return what the calls ask for, in their order, and what of it cannot be read."""
    found: list[Step] = []
    rejected: Rejected = []
    for item in items:
        try:
            found += [Step(item.index, operation) for operation in _asked(item, received_at)]
        except Refusal as refusal:
            rejected.append((item.index, refusal))
    return found, rejected


def _asked(item: Item, received_at: datetime) -> list[Operation]:
    read = _act_of(item)
    return [read(item, received_at)] if read else [_event(item), *consent.read(_who(item), item.traits)]


def _act_of(item: Item) -> Callable[[Item, datetime], Act] | None:
    """Return how to read a call that is more than an event. One that is not meant for us is not."""
    return ACTS.get(item.name) if item.type == Event.Type.TRACK and item.pending else None


def _event(item: Item) -> Call:
    return Call(_who(item), item, words=WORDS.get(item.type, "properties"))


def _who(item: Item) -> Who:
    return Who(user_id=item.user_id) if item.user_id else Who(anonymous_id=item.anonymous_id)


def _put_device(item: Item, received_at: datetime) -> Act:
    """Read a device from the properties, the device among them, or the context: libraries differ."""
    said = OBJECT.decode(item.properties)
    device = _device(item)
    own = {name: value for name, value in said.items() if name not in ("token", "platform", "device")}
    rest = {name: value for name, value in device.items() if name not in ("token", "type", "platform")}
    platform = (
        text_or_nothing(device, "type") or text_or_nothing(device, "platform") or text_or_nothing(said, "platform")
    )
    described = Described(
        _token(item),
        platform,
        min(item.timestamp, received_at),
        json.loads(msgspec.json.encode({**rest, **own})),
    )
    return acts.PutDevice(_who(item), described)


def _remove_device(item: Item, received_at: datetime) -> Act:
    return acts.RemoveDevice(_who(item), _token(item))


def _device(item: Item) -> Fields:
    in_properties = OBJECT.decode(object_of(OBJECT.decode(item.properties), "device"))
    in_context = OBJECT.decode(item.context).get("device", Raw(b"{}"))
    return {**(OBJECT.decode(in_context) if bytes(in_context)[:1] == b"{" else {}), **in_properties}


def _token(item: Item) -> str:
    return acts.device_id_of({**OBJECT.decode(item.properties), **_device(item)}, "token")


def _unrelate(item: Item, received_at: datetime) -> Act:
    return objects.Unrelate(_who(item), _object(item))


def _delete_object(item: Item, received_at: datetime) -> Act:
    return objects.DeleteObject(_object(item))


def _object(item: Item) -> tuple[str, str]:
    """Read an object that the properties name, or the context as the group at hand."""
    said = OBJECT.decode(item.properties)
    context = OBJECT.decode(item.context)
    named = said.get("objectId", said.get("object_id", context.get("groupId", NULL)))
    of_type = said.get("objectTypeId", said.get("object_type_id", NULL))
    return objects.key_of({"object_id": named, "object_type_id": of_type})


def _report(item: Item, received_at: datetime) -> Act:
    said = OBJECT.decode(item.properties)
    at = Raw(msgspec.json.encode(min(item.timestamp, received_at).timestamp()))
    read = {**said, "delivery_id": said.get("deliveryId", NULL), "timestamp": at}
    return reports.ReportDelivery(reports.read(read, "metric", received_at))


ACTS: dict[str, Callable[[Item, datetime], Act]] = {
    "User Deleted": lambda item, _: acts.Delete(_who(item)),
    "User Suppressed": lambda item, _: acts.Suppress(_who(item)),
    "User Unsuppressed": lambda item, _: acts.Unsuppress(_who(item)),
    "Device Created or Updated": _put_device,
    "Device Deleted": _remove_device,
    "Relationship Deleted": _unrelate,
    "Object Deleted": _delete_object,
    "Report Delivery Event": _report,
}
