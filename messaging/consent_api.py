"""Consent by API: ``/suppressions/``, ``/suppressions/{address}/`` and ``/consents/{user_id}/``."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django.http import Http404, HttpResponse, StreamingHttpResponse
from django.urls import URLPattern, re_path
from django.utils.dateparse import parse_datetime
from rest_framework.request import Request

from events import audit
from events.api.manage.base import ManagementView, before_id, limit_of, page, read_body, respond, text_of, token_of
from events.api.manage.profiles import find_profile
from events.api.openapi import CURSOR, Shape
from events.api.refusal import Refusal
from events.api.shapes import TEXT, TIME, WHOLE, fields, listed, maybe, pages
from events.audit import Actor
from messaging import consent, lists, permission, policy, suppression_files
from messaging.lists import Struck
from messaging.models import Consent, Subscription, Suppression
from messaging.permission import Given

MOST = 1_000
MAX_TEXT = 1_000
CHANNELS = ("email", "sms")
CHANNEL = {"enum": list(CHANNELS)}
CAUSE = {"enum": [cause for cause in Suppression.Cause.values if cause != Suppression.Cause.LEFT]}
SUPPRESSION = fields(
    *("channel", "address", "cause", "reason", "since"),
    channel=CHANNEL,
    address=TEXT,
    cause={"enum": Suppression.Cause.values},
    reason=TEXT,
    since=TIME,
)
ADDED = fields("added", "known", added=WHOLE, known=WHOLE)
ADDING = fields(
    "addresses",
    addresses={**listed(TEXT), "maxItems": MOST},
    channel=CHANNEL,
    cause=CAUSE,
    reason={**TEXT, "maxLength": MAX_TEXT},
)
CONSENT = fields(
    *("channel", "basis", "source", "detail", "given_at", "expires_at"),
    channel={"enum": Subscription.Channel.values},
    basis={"enum": Consent.Basis.values},
    source={"enum": Subscription.Source.values},
    detail=TEXT,
    given_at=TIME,
    expires_at=maybe(TIME),
)
GIVING = fields(
    "basis",
    channel={"enum": Subscription.Channel.values},
    basis={"enum": Consent.Basis.values},
    detail={**TEXT, "maxLength": MAX_TEXT, "description": "The words agreed to, the form, the page."},
    given_at=TIME,
    expires_at={**TIME, "description": "Unless given: purchases after 24 months, inquiries after 6, others never."},
)


class SuppressionsView(ManagementView):
    """List addresses that are not written to, the newest first; or add up to 1,000.

    ``?address=`` looks for one. Addresses of erased people are not known any more: they are told as "erased".
    """

    area = "consent"
    shapes = {
        "GET": Shape(pages(SUPPRESSION), parameters=[*CURSOR]),
        "POST": Shape(ADDED, ADDING),
    }

    def get(self, request: Request) -> HttpResponse:
        found = Suppression.objects.filter(pk__lt=before_id(request)).order_by("-pk")
        if address := text_of(request, "address"):
            found = found.filter(address__in=lists.forms(address))
        return page(request, list(found[: limit_of(request) + 1]), _suppression, lambda row: str(row.pk))

    def post(self, request: Request) -> HttpResponse:
        said = read_body(request, {"addresses": list, "channel": str, "cause": str, "reason": str})
        channel = _one_of(said, "channel", CHANNELS, "email")
        cause = _one_of(said, "cause", CAUSE["enum"], Suppression.Cause.MANUAL.value)
        addresses = [_address(given, channel) for given in said.get("addresses") or []]
        if not addresses:
            raise Refusal("missing_field", "addresses has to be a list of addresses.", "addresses")
        if len(addresses) > MOST:
            raise Refusal("too_large", f"At most {MOST:,} addresses can be named at once.", "addresses")
        reason = _text(said, "reason")
        added = lists.suppress([Struck(address, cause, reason, channel=channel) for address in addresses])
        audit.note(Actor.of_token(token_of(request)), "suppressions", added=added)
        return respond({"added": added, "known": len(set(addresses)) - added})


class SuppressionView(ManagementView):
    """Take an address off the list, so that it is written to again. ``?channel=sms`` for a telephone number."""

    area = "consent"
    shapes = {"DELETE": Shape(status=204)}

    def delete(self, request: Request, address: str) -> HttpResponse:
        channel = text_of(request, "channel") or "email"
        if not consent.unsuppress(address, channel):
            raise Http404("This address is not on the list.")
        audit.note(Actor.of_token(token_of(request)), "suppressions", removed=1)
        return HttpResponse(status=204)


class SuppressionExport(ManagementView):
    """Stream the whole list as CSV or NDJSON."""

    area = "consent"
    shapes = {"GET": Shape(TEXT)}

    def get(self, request: Request, file_format: str) -> StreamingHttpResponse:
        audit.note(Actor.of_token(token_of(request)), "download", kind="suppressions", format=file_format)
        return suppression_files.download(file_format)


class ConsentsView(ManagementView):
    """Show the consents of a person that are on record, the newest first; or note one.

    ``basis`` says what it rests on: implied ones end by themselves, two years after a purchase and six months after an
    inquiry. It brings nobody back who has unsubscribed.
    """

    area = "consent"
    shapes = {"GET": Shape(fields("consents", consents=listed(CONSENT))), "POST": Shape(CONSENT, GIVING, status=201)}

    def get(self, request: Request, user_id: str) -> HttpResponse:
        profile = find_profile(user_id)
        rows = Consent.objects.filter(profile=profile).order_by("-pk")
        return respond({"consents": [_consent(row) for row in rows]})

    def post(self, request: Request, user_id: str) -> HttpResponse:
        profile = find_profile(user_id)
        said = read_body(request, dict.fromkeys(GIVING["properties"], str))
        given_at, expires_at = _time(said, "given_at"), _time(said, "expires_at")
        if given_at and expires_at and expires_at <= given_at:
            raise Refusal("invalid_value", "It has to end after it was given.", "expires_at")
        given = Given(
            profile.pk,
            _one_of(said, "basis", Consent.Basis.values, ""),
            Subscription.Source.API.value,
            _one_of(said, "channel", Subscription.Channel.values, permission.ALL),
            _text(said, "detail"),
            given_at,
            expires_at,
        )
        made = permission.note([given])
        if not made:
            raise Http404("Nobody has this user id.")
        audit.note(Actor.of_token(token_of(request)), "consents", profile.pk, basis=given.basis)
        return respond(_consent(made[0]), 201)


def _address(given: object, channel: str) -> str:
    if not isinstance(given, str):
        raise Refusal("invalid_value", "addresses has to be a list of texts.", "addresses")
    address = policy.plain_number(given) if channel == "sms" else given.strip().lower()
    if not policy.is_reachable(channel, address):
        raise Refusal("invalid_value", f"“{address[:100]}” is no address of the channel {channel}.", "addresses")
    return address


def _one_of(said: dict[str, Any], name: str, known: Any, usual: str) -> str:
    value: str = said.get(name) or usual
    if value not in known:
        raise Refusal("invalid_value" if value else "missing_field", f"Known are {', '.join(known)}.", name)
    return value


def _text(said: dict[str, Any], name: str) -> str:
    text: str = said.get(name) or ""
    if len(text) > MAX_TEXT:
        raise Refusal("too_large", f"At most {MAX_TEXT:,} characters can be kept.", name)
    return text


def _time(said: dict[str, Any], name: str) -> datetime | None:
    if not said.get(name):
        return None
    try:
        at = parse_datetime(said[name])
    except ValueError:
        at = None
    if at is None or at.tzinfo is None:
        raise Refusal("invalid_value", f"{name} has to be an ISO 8601 time with its zone.", name)
    return at


def _suppression(row: Suppression) -> dict[str, object]:
    address = "erased" if row.address.startswith(lists.DISGUISED) else row.address
    since = row.created_at
    return {"channel": row.channel, "address": address, "cause": row.cause, "reason": row.detail, "since": since}


def _consent(row: Consent) -> dict[str, object]:
    return {name: getattr(row, name) for name in CONSENT["properties"]}


urlpatterns: list[URLPattern] = [
    re_path(r"^suppressions/?\Z", SuppressionsView.as_view(), name="manage-suppressions"),
    re_path(r"^suppressions/(?P<address>.+?)/?\Z", SuppressionView.as_view(), name="manage-suppression"),
    re_path(
        r"^exports/suppressions\.(?P<file_format>csv|ndjson)$", SuppressionExport.as_view(), name="export_suppressions"
    ),
    re_path(r"^consents/(?P<user_id>(?s:.+?))/?\Z", ConsentsView.as_view(), name="manage-consents"),
]
