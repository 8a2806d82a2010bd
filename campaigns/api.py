"""Let people into a campaign by API: ``POST /api/v1/campaigns/{slug}/start/``."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec
from django.http import Http404, HttpResponse
from django.urls import URLPattern, re_path
from drf_spectacular.extensions import OpenApiAuthenticationExtension
from drf_spectacular.openapi import AutoSchema
from msgspec import Raw
from rest_framework.request import Request

from campaigns import requests
from campaigns.models import Campaign
from events import people, sandbox
from events.api import body, fields, limits, scopes
from events.api.authentication import Caller, TokenAuthentication, authorization, find_caller, note_use, user_name
from events.api.base import JsonView
from events.api.fields import Fields
from events.api.manage.base import respond
from events.api.openapi import Shape
from events.api.refusal import Refusal
from events.api.shapes import ERROR, ID, OBJECT, TEXT, WHOLE, Schema, listed, maybe
from events.api.shapes import fields as shape
from events.audit import Actor
from events.ingest import in_one_go
from events.models import ApiToken, Identity, Profile, SourceKey

MAX_PEOPLE = 1_000
LIMIT = 4 * 1024 * 1024
MAX_KEY = 255
SCOPE = "campaigns:write"
NAMES = ("userId", "anonymousId", "email")
OF_PERSON = (*NAMES, "properties", "idempotencyKey")
OF_MANY = ("people", "properties", "idempotencyKey")

_PERSON: dict[str, Schema] = {
    **dict.fromkeys(NAMES, ID),
    "properties": {**maybe(OBJECT), "description": "What texts know as `trigger.…`, and conditions as the event's."},
    "idempotencyKey": {**maybe(TEXT), "maxLength": MAX_KEY, "description": "The same one again starts nothing."},
}
BODY = shape(**_PERSON, people={**listed(shape(**_PERSON)), "maxItems": MAX_PEOPLE})
RESULT = shape(
    "index", "status", index=WHOLE, status={"enum": ["requested", "repeated", "refused"]}, **ERROR["properties"]
)
ANSWER = shape(
    "requested", "results", campaign=TEXT, requested=WHOLE, repeated=WHOLE, refused=WHOLE, results=listed(RESULT)
)


class StartAuthentication(TokenAuthentication):
    """Take a token of the management API, or a source's secret key. ``request.auth`` is an ApiToken or a Caller."""

    def authenticate(self, request: Request) -> Any:
        scheme, credentials = authorization(request)
        caller = find_caller(user_name(credentials) if scheme == "basic" else credentials)
        if caller is None:
            return super().authenticate(request)
        limits.check_origin(caller, request.headers.get("Origin"))
        if caller.kind != SourceKey.Kind.SECRET:
            raise Refusal("secret_key_needed", "A public key lets nobody in: use a secret one.", "Authorization", 403)
        note_use(caller)
        return None, caller


class StartScheme(OpenApiAuthenticationExtension):  # type: ignore[no-untyped-call]
    """Say how a token or a key is shown."""

    target_class = "campaigns.api.StartAuthentication"
    name = "token or secret key"

    def get_security_definition(self, auto_schema: AutoSchema) -> Schema:
        return {"type": "http", "scheme": "bearer", "description": "A token, or a secret key of a source."}


@dataclass(frozen=True, slots=True)
class Wanted:
    """Somebody whom a call names, at the place ``path`` of it; ``name`` is the field that does."""

    index: int
    path: str
    name: str
    value: str
    properties: Mapping[str, Any]
    key: str


class StartView(JsonView):
    """Let somebody into a live campaign, or up to 1,000 under ``people``, whatever the campaign starts with.

    Each is named by ``userId``, ``anonymousId`` or ``email`` and has to be known. With an ``idempotencyKey`` a call
    that is made again starts nothing; of a list it holds for each person of it. Beside ``people``, ``properties`` are
    for all of them. Whether somebody enters is decided right afterwards, by the campaign's conditions and its rules of
    entry: see the person's page, or “Did not enter”. With a token the scope ``campaigns:write`` is needed.
    """

    authentication_classes = [StartAuthentication]
    area = "campaigns"
    shapes = {"POST": Shape(ANSWER, BODY, status=202)}

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        super().initial(request, *args, **kwargs)
        if isinstance(request.auth, ApiToken) and not scopes.allows(request.auth.scopes, SCOPE):
            raise Refusal("missing_scope", f"This token lacks the scope {SCOPE}.", "Authorization", 403)

    def post(self, request: Request, slug: str) -> HttpResponse:
        campaign = _find(slug)
        given = body.received(request._request, LIMIT)
        said = fields.read_object(body.unpacked(given, request.headers.get("Content-Encoding", ""), LIMIT))
        wanted, refused = _read(said)
        auth = request.auth
        assert isinstance(auth, ApiToken | Caller)
        if "people" not in said and refused:
            raise refused[0]
        if isinstance(auth, Caller):
            limits.spend(auth, len(wanted))
        results: dict[int, dict[str, object]] = {}
        in_one_go(lambda: results.update(_start(campaign, wanted, auth)))
        results |= {index: _refused(refusal) for index, refusal in refused.items()}
        if "people" not in said and "code" in results[0]:
            raise Refusal(str(results[0]["code"]), str(results[0]["message"]), str(results[0]["field"]))
        counts = Counter(each["status"] for each in results.values())
        return respond(
            {
                "campaign": slug,
                **{status: counts[status] for status in ("requested", "repeated", "refused")},
                "results": [{"index": index, **results[index]} for index in sorted(results)],
            },
            202,
        )


def _find(slug: str) -> Campaign:
    campaign = Campaign.objects.filter(slug=slug).first()
    if campaign is None:
        raise Http404("There is no such campaign.")
    if campaign.status != Campaign.Status.LIVE:
        state = "is paused: resume it" if campaign.status == Campaign.Status.PAUSED else "is a draft: publish it"
        raise Refusal("conflict", f"The campaign {state}, then call again. Nobody was let in.", "campaign", 409)
    return campaign


def _read(said: Fields) -> tuple[list[Wanted], dict[int, Refusal]]:
    """Return who is wanted, and by index why somebody cannot be. Raises Refusal for what is wrong with all of it."""
    if "people" not in said:
        return _read_each([said], "", {}, "")
    _refuse_unknown(said, OF_MANY, "")
    try:
        trees = msgspec.json.decode(said["people"], type=list[Raw])
    except msgspec.ValidationError:
        raise Refusal("invalid_value", "people has to be a list of objects.", "people") from None
    if not 0 < len(trees) <= MAX_PEOPLE:
        raise Refusal("too_many", f"Name 1 to {MAX_PEOPLE:,} people in one call.", "people")
    return _read_each(trees, "people", _properties(said, ""), _key(said, ""))


def _read_each(
    trees: Sequence[Raw | Fields], path: str, shared: Mapping[str, Any], key: str
) -> tuple[list[Wanted], dict[int, Refusal]]:
    wanted, refused = [], {}
    for index, tree in enumerate(trees):
        place = f"{path}[{index}]." if path else ""
        try:
            wanted.append(_wanted(tree, index, place, shared, key))
        except Refusal as refusal:
            refused[index] = refusal
    return wanted, refused


def _wanted(tree: Raw | Fields, index: int, place: str, shared: Mapping[str, Any], key: str) -> Wanted:
    if not isinstance(tree, dict):
        try:
            tree = fields.OBJECT.decode(tree)
        except (msgspec.DecodeError, RecursionError):
            raise Refusal("invalid_value", "Each of people has to be an object.", place.rstrip(".")) from None
    _refuse_unknown(tree, OF_PERSON, place)
    found = {name: value for name in NAMES if (value := _at(place, lambda name=name: fields.id_of(tree, name)))}
    if len(found) != 1:
        text = "by one of them only" if found else "who is meant"
        code = "invalid_value" if found else "missing_field"
        raise Refusal(code, f"Say by userId, anonymousId or email {text}.", f"{place}userId")
    (name, value), own = next(iter(found.items())), _key(tree, place)
    return Wanted(index, place, name, value, {**shared, **_properties(tree, place)}, own or (key and f"{key} {value}"))


def _at(place: str, read: Any) -> Any:
    """Read a field; what is wrong with it is told at its place."""
    try:
        return read()
    except Refusal as refusal:
        raise Refusal(refusal.code, refusal.message, f"{place}{refusal.field}") from None


def _refuse_unknown(tree: Fields, known: Collection[str], place: str) -> None:
    for name in tree:
        if name not in known:
            raise Refusal("unknown_field", f"Known are {', '.join(known)}.", f"{place}{name[:100]}")


def _properties(tree: Fields, place: str) -> dict[str, Any]:
    raw = _at(place, lambda: fields.object_of(tree, "properties"))
    if len(raw) > body.CALL_LIMIT:
        message = f"At most {body.CALL_LIMIT // 1024} KB of properties can be taken."
        raise Refusal("too_large", message, f"{place}properties")
    _at(f"{place}properties.", lambda: fields.refuse_flaw(raw))
    found: dict[str, Any] = msgspec.json.decode(raw)
    for name in requests.RESERVED:
        if name in found:
            raise Refusal("invalid_value", f"{name} is ours to say: call it otherwise.", f"{place}properties.{name}")
    return found


def _key(tree: Fields, place: str) -> str:
    key = _at(place, lambda: fields.text_of(tree, "idempotencyKey")) or ""
    if len(key) > MAX_KEY:
        raise Refusal("invalid_value", f"It may have {MAX_KEY} characters.", f"{place}idempotencyKey")
    return str(key)


def _start(campaign: Campaign, wanted: Sequence[Wanted], auth: ApiToken | Caller) -> dict[int, dict[str, object]]:
    """Ask for the starts of those who are known; say of each what came of it. Six statements at most."""
    is_sandbox = isinstance(auth, Caller) and auth.source.is_sandbox
    by = (Actor.of_token(auth) if isinstance(auth, ApiToken) else Actor.of_source(auth.source)).name
    known = _known(wanted, is_sandbox=is_sandbox)
    found = [each for each in wanted if each.index in known]
    asked = [requests.Request(known[each.index].pk, each.properties, each.key) for each in found]
    new = requests.ask(campaign, asked, requests.Reason.API, by)
    results: dict[int, dict[str, object]] = {
        each.index: {"status": "requested" if is_new else "repeated"} for each, is_new in zip(found, new, strict=True)
    }
    for each in wanted:
        if each.index not in known:
            message = f"Nobody is known by this {each.name}: identify them first."
            results[each.index] = _refused(Refusal("unknown_person", message, f"{each.path}{each.name}"))
    return results


def _known(wanted: Sequence[Wanted], *, is_sandbox: bool) -> dict[int, Profile]:
    """Return the people who are there, by index. Four statements at most."""
    values = {each.index: sandbox.own(each.value) if is_sandbox else each.value for each in wanted}
    anonymous = {values[each.index] for each in wanted if each.name == "anonymousId"}
    others = {values[each.index] for each in wanted if each.name != "anonymousId"}
    by_name = people.by_many(others) if others else {}
    identities = Identity.objects.filter(kind=Identity.Kind.ANONYMOUS, value__in=anonymous).select_related("profile")
    by_anonymous = {one.value: one.profile for one in identities} if anonymous else {}
    found = {
        each.index: (by_anonymous if each.name == "anonymousId" else by_name).get(values[each.index]) for each in wanted
    }
    return {index: person for index, person in found.items() if person is not None}


def _refused(refusal: Refusal) -> dict[str, object]:
    return {"status": "refused", **refusal.answer}


urlpatterns: list[URLPattern] = [
    re_path(r"^(?P<slug>[-a-zA-Z0-9_]{1,120})/start/?\Z", StartView.as_view(), name="campaign-start")
]
