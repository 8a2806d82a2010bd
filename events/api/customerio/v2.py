"""Version 2 of Customer.io's Track API: one object says what is meant, alone or in a batch.

In a batch bad items are named by their index, with status 207, and the others are done. Segment's Customer.io
destination reads exactly that.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime

import msgspec
from django.http import HttpResponse, JsonResponse
from django.urls import URLPattern, re_path
from django.utils import timezone
from msgspec import Raw
from rest_framework.request import Request

from events.api import body as bodies
from events.api import inbound, limits
from events.api.customerio import acts, identifiers, items, reports
from events.api.customerio.base import TrackApiView
from events.api.customerio.identifiers import Who
from events.api.customerio.performing import Operation, Rejected, Step, settle
from events.api.fields import OBJECT, Fields, read_object, refuse_flaw, text_of
from events.api.refusal import Refusal

_LIST = msgspec.json.Decoder(list[Raw])


class EntityView(TrackApiView):
    """Take one object."""

    http_method_names = ["post"]

    def refused(self, refusal: Refusal) -> dict[str, object]:
        return {"errors": [_error(refusal)]}

    def post(self, request: Request) -> HttpResponse:
        received_at = timezone.now()
        refuse_flaw(self.body)
        return self.take(received_at, *operations(read_object(self.body), received_at))


class BatchView(EntityView):
    """Take many objects."""

    limit = bodies.BATCH_LIMIT

    def post(self, request: Request) -> HttpResponse:
        received_at = timezone.now()
        parsed, bad = _steps(_raw_items(self.body), received_at)
        limits.spend(self.known_caller, len({step.index for step in parsed}) + len(bad))
        steps, unknown = settle(parsed, self.known_caller.source)
        bad += unknown
        kept = self.described(207 if bad else 200, _answer(bad), len(bad)) if bad or inbound.sampled() else None
        rejected = self.carry_out(steps, received_at, kept)
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
    return [items.identify(_who(fields), attributes, at, received_at)]


def _event(fields: Fields, received_at: datetime) -> list[Operation]:
    action = text_of(fields, "action") or ""
    read = ("type", "action", "identifiers")
    return [items.event(_who(fields), action, fields, "attributes", received_at, read)]


def _add_device(fields: Fields, received_at: datetime) -> list[Operation]:
    device = items.attributes_of(fields, "device")
    return [acts.PutDevice(_who(fields), acts.described_device(device, "token", received_at))]


def _delete_device(fields: Fields, received_at: datetime) -> list[Operation]:
    return [acts.RemoveDevice(_who(fields), acts.device_id_of(items.attributes_of(fields, "device"), "token"))]


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
        "add_device": _add_device,
        "delete_device": _delete_device,
        "suppress": lambda fields, _: [acts.Suppress(_who(fields))],
        "unsuppress": lambda fields, _: [acts.Unsuppress(_who(fields))],
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
