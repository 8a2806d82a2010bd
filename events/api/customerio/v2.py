"""Version 2 of Customer.io's Track API: one object says what is meant, alone or in a batch.

In a batch bad items are named by their index, with status 207, and the others are done. Segment's Customer.io
destination reads exactly that.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime

import msgspec
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.urls import URLPattern, re_path
from django.utils import timezone
from msgspec import Raw

from events import groups
from events.api import body as bodies
from events.api import inbound, limits
from events.api.customerio import acts, consent, identifiers, items, objects, reports
from events.api.customerio.base import Asked, TrackApiView
from events.api.customerio.identifiers import Who
from events.api.customerio.performing import Operation, Rejected, Step, arrange
from events.api.fields import OBJECT, Fields, read_object, refuse_flaw, text_of
from events.api.refusal import Refusal

_LIST = msgspec.json.Decoder(list[Raw])


class EntityView(TrackApiView):
    """Take one object."""

    http_method_names = ["post"]

    def refused(self, refusal: Refusal) -> dict[str, object]:
        return {"errors": [_error(refusal)]}

    def asked(self, method: str, body: bytes, received_at: datetime, **path: str) -> Asked:
        refuse_flaw(body)
        return Asked([Step(0, operation) for operation in operations(read_object(body), received_at)])

    def post(self, request: HttpRequest) -> HttpResponse:
        received_at = timezone.now()
        asked = self.asked("POST", self.body, received_at)
        return self.take(received_at, *(step.operation for step in asked.steps))


class BatchView(EntityView):
    """Take many objects."""

    limit = bodies.BATCH_LIMIT

    def asked(self, method: str, body: bytes, received_at: datetime, **path: str) -> Asked:
        return Asked(*_steps(_raw_items(body), received_at))

    def post(self, request: HttpRequest) -> HttpResponse:
        received_at = timezone.now()
        asked = self.asked("POST", self.body, received_at)
        limits.spend(self.known_caller, len({step.index for step in asked.steps}) + len(asked.rejected))
        arranged = arrange(self.known_caller.source, asked.steps, received_at)
        bad = [*asked.rejected, *arranged.rejected]
        kept = self.described(207 if bad else 200, _answer(bad), len(bad)) if bad or inbound.sampled() else None
        rejected = self.carry_out(arranged, kept)
        if rejected:
            bad += rejected
            inbound.keep(self.described(207, _answer(bad), len(bad)))
        return JsonResponse(_answer(bad), status=207 if bad else 200)


def operations(fields: Fields, received_at: datetime) -> list[Operation]:
    """Return what one object asks for. Raises Refusal."""
    kind, action = text_of(fields, "type") or "", text_of(fields, "action") or ""
    if kind not in ACTIONS:
        raise Refusal("invalid_value", f"The type has to be one of {', '.join(ACTIONS)}.", "type")
    if action not in ACTIONS[kind]:
        raise Refusal("invalid_value", f"The action of a {kind} has to be one of {', '.join(ACTIONS[kind])}.", "action")
    return ACTIONS[kind][action](fields, received_at)


def _who(fields: Fields) -> Who:
    return identifiers.of_fields(items.attributes_of(fields, "identifiers"), "identifiers")


def _identify(fields: Fields, received_at: datetime) -> list[Operation]:
    attributes = items.attributes_of(fields, "attributes")
    at = items.unix_time(fields, "timestamp")
    said = items.identify(_who(fields), attributes, at, received_at, "attributes")
    return [said, *objects.objects_in(said.who, fields), *consent.read(said.who, attributes)]


def _event(fields: Fields, received_at: datetime) -> list[Operation]:
    action = text_of(fields, "action") or ""
    kind = action if action in items.TYPES else "event"
    read = ("type", "action", "identifiers")
    return [items.event(_who(fields), kind, fields, "attributes", received_at, read)]


def _add_device(fields: Fields, received_at: datetime) -> list[Operation]:
    device = items.attributes_of(fields, "device")
    return [acts.PutDevice(_who(fields), acts.described_device(device, "token", received_at))]


def _delete_device(fields: Fields, received_at: datetime) -> list[Operation]:
    return [acts.RemoveDevice(_who(fields), acts.device_id_of(items.attributes_of(fields, "device"), "token"))]


def _merge(fields: Fields, received_at: datetime) -> list[Operation]:
    # Beside the action, as Segment has them, or among the identifiers.
    named = {**items.attributes_of(fields, "identifiers"), **fields}
    primary, secondary = (
        identifiers.of_fields(items.attributes_of(named, name), name) for name in ("primary", "secondary")
    )
    return [acts.Merge(primary, secondary)]


def _person_joins(fields: Fields, received_at: datetime) -> list[Operation]:
    return [*objects.objects_in(_who(fields), fields)]


def _person_leaves(fields: Fields, received_at: datetime) -> list[Operation]:
    return [*objects.left_by(_who(fields), fields)]


def _describe_object(fields: Fields, received_at: datetime) -> list[Operation]:
    return [objects.Told(_object(fields), objects.attributes(fields), objects.people_in(fields))]


def _join_object(fields: Fields, received_at: datetime) -> list[Operation]:
    return [objects.Told(_object(fields), {}, objects.people_in(fields))]


def _leave_object(fields: Fields, received_at: datetime) -> list[Operation]:
    key = _object(fields)
    return [objects.Unrelate(one.who, key) for one in objects.people_in(fields)]


def _object(fields: Fields) -> groups.Key:
    return objects.key_of(items.attributes_of(fields, "identifiers"))


def _report(fields: Fields, received_at: datetime) -> list[Operation]:
    said = {**items.attributes_of(fields, "attributes"), **fields}
    said |= {"delivery_id": items.attributes_of(fields, "identifiers").get("id", items.NULL)}
    return [reports.ReportDelivery(reports.read(said, "name", received_at))]


ACTIONS: dict[str, dict[str, Callable[[Fields, datetime], list[Operation]]]] = {
    "person": {
        "identify": _identify,
        "delete": lambda fields, _: [acts.Delete(_who(fields))],
        "event": _event,
        "page": _event,
        "screen": _event,
        # What a person saw of a message's content, as Segment reports it.
        "viewed_content": _event,
        "clicked_content": _event,
        "add_device": _add_device,
        "delete_device": _delete_device,
        "merge": _merge,
        objects.ADD: _person_joins,
        objects.DELETE: _person_leaves,
        "suppress": lambda fields, _: [acts.Suppress(_who(fields))],
        "unsuppress": lambda fields, _: [acts.Unsuppress(_who(fields))],
    },
    "object": {
        "identify": _describe_object,
        # The same, of people without a name.
        "identify_anonymous": _describe_object,
        "delete": lambda fields, _: [objects.DeleteObject(_object(fields))],
        objects.ADD: _join_object,
        objects.DELETE: _leave_object,
    },
    "delivery": {"event": _report},
}


def _raw_items(body: bytes) -> list[Raw]:
    try:
        return _LIST.decode(read_object(body)["batch"])
    except (KeyError, msgspec.ValidationError):
        raise Refusal("invalid_value", "A batch needs its list of items.", "batch") from None


def _steps(raws: Sequence[Raw], received_at: datetime) -> tuple[list[Step], Rejected]:
    """Read the items of a batch; bad ones are rejected alone."""
    steps: list[Step] = []
    rejected: Rejected = []
    for index, raw in enumerate(raws):
        try:
            steps += [Step(index, operation) for operation in operations(_item(bytes(raw)), received_at)]
        except Refusal as refusal:
            rejected.append((index, refusal))
    return steps, rejected


def _item(raw: bytes) -> Fields:
    if len(raw) > bodies.CALL_LIMIT:
        raise Refusal("too_large", f"An item may have {bodies.CALL_LIMIT // 1024} KB.", "batch")
    refuse_flaw(raw)
    try:
        return OBJECT.decode(raw)
    except msgspec.ValidationError:
        raise Refusal("invalid_value", "An item has to be a JSON object.", "batch") from None


def _answer(rejected: Rejected) -> dict[str, object]:
    listed = [{"batch_index": index, **_error(refusal)} for index, refusal in sorted(rejected, key=lambda one: one[0])]
    return {"errors": listed} if listed else {}


def _error(refusal: Refusal) -> dict[str, object]:
    return {"reason": refusal.code, "field": refusal.field, "message": refusal.message}


urlpatterns: list[URLPattern] = [
    re_path(r"^v2/entity/?\Z", EntityView.as_view(), name="cio-entity"),
    re_path(r"^v2/batch/?\Z", BatchView.as_view(), name="cio-batch"),
]
