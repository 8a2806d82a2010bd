"""Customer.io's manual segments: put known people on a list that is kept by hand, or take them off it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import msgspec
from django.http import HttpRequest, HttpResponse, JsonResponse

from events import people, sandbox
from events.api import authentication, inbound, limits
from events.api.body import BATCH_LIMIT
from events.api.customerio.acts import require_secret
from events.api.customerio.base import TrackApiView
from events.api.fields import Fields, id_of, read_object, refuse_flaw
from events.api.refusal import Refusal
from events.models import Profile, Segment, Source
from events.segments import lists

MAX_IDS = 1_000
NAMED = 10
ID_TYPES = ("id", "email", "cio_id")
_LIST = msgspec.json.Decoder(list[msgspec.Raw])


class ListView(TrackApiView):
    """Take ``{"ids": […]}``, up to 1,000, all of the kind that ``?id_type=`` names.

    Whoever is not known is left out, and told in the answer.
    """

    http_method_names = ["post"]
    limit = BATCH_LIMIT

    def post(self, request: HttpRequest, segment: str, verb: str) -> HttpResponse:
        caller = self.known_caller
        require_secret(caller, "say who is on a list")
        limits.spend(caller, 1)
        ids = _ids(self.body)
        found = _find(ids, request.GET.get("id_type", "id"), caller.source)
        change = lists.add if verb == "add" else lists.remove
        change(manual(segment), [person.pk for person in found.values()], f"the API ({caller.source})")
        authentication.note_use(caller)
        answer = _answer([name for name in ids if name not in found])
        if answer or inbound.sampled():
            inbound.keep(self.described(200, answer))
        return JsonResponse(answer)


def manual(name: str) -> Segment:
    """Return the list that a call names by its number or its short name. Raises Refusal."""
    named = Segment.objects.filter(slug=name)
    if name.isascii() and name.isdigit() and len(name) < 10:
        named = Segment.objects.filter(pk=int(name)) | named
    segment = named.order_by("pk").first()
    if segment is None:
        message = f"There is no manual segment {name}: its page in the admin tells its number."
        raise Refusal("not_found", message, "segment_id", 404)
    if segment.kind != Segment.Kind.MANUAL:
        message = f"Who is in the segment {name} is for its condition to say: set an attribute that it asks for."
        raise Refusal("invalid_value", message, "segment_id")
    return segment


def _ids(body: bytes) -> list[str]:
    refuse_flaw(body)
    fields: Fields = read_object(body or b"{}")
    try:
        given = _LIST.decode(fields.get("ids", b"null"))
    except msgspec.ValidationError:
        raise Refusal("invalid_value", "ids has to be a list of ids.", "ids") from None
    if len(given) > MAX_IDS:
        raise Refusal("too_large", f"ids may name {MAX_IDS:,} people at once.", "ids")
    named = [id_of({"ids": raw}, "ids") for raw in given]
    return [name.strip() for name in named if name]


def _find(ids: Sequence[str], id_type: str, source: Source) -> Mapping[str, Profile]:
    """Return the people as calls of this source find them. Three statements at most. Raises Refusal."""
    if id_type not in ID_TYPES:
        raise Refusal("invalid_value", f"id_type has to be one of {', '.join(ID_TYPES)}.", "id_type")
    if id_type == "cio_id":
        found: Mapping[str, Profile] = people.by_own_ids(ids)
    else:
        stored = {sandbox.own(name) if source.is_sandbox else name: name for name in ids}
        found = {stored[name]: person for name, person in people.by_many(stored).items()}
    return {name: person for name, person in found.items() if person.is_sandbox == source.is_sandbox}


def _answer(unknown: Sequence[str]) -> dict[str, object]:
    if not unknown:
        return {}
    more = f" and {len(unknown) - NAMED:,} more" if len(unknown) > NAMED else ""
    return {"meta": {"message": f"Nobody is known as {', '.join(unknown[:NAMED])}{more}: left out."}}
