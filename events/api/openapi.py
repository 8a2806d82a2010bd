"""The OpenAPI document at ``/api/schema/``: views say in ``shapes`` what they take and answer; this reads it."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from drf_spectacular.extensions import OpenApiAuthenticationExtension
from drf_spectacular.openapi import AutoSchema
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, OpenApiResponse

from events.api.shapes import BATCH, CALLS, ERROR, OBJECT, SUCCESS, Schema

CURSOR = [
    OpenApiParameter("limit", int, description="How many, from 1 to 1000; 100 unless told."),
    OpenApiParameter("cursor", str, description="Where to go on: see `next`."),
]
PERIOD = [
    OpenApiParameter("since", OpenApiTypes.DATETIME, description="From this time on."),
    OpenApiParameter("until", OpenApiTypes.DATETIME, description="To before this time."),
]


def text(name: str, description: str, *, required: bool = False) -> OpenApiParameter:
    """Return a query parameter."""
    return OpenApiParameter(name, str, description=description, required=required)


@dataclass(frozen=True, slots=True)
class Shape:
    """What one method of a view takes and answers: ``View.shapes`` holds them by method."""

    answer: Schema | None = None
    body: Schema | None = None
    parameters: Sequence[OpenApiParameter] = ()
    status: int = 200
    media_type: str = "application/json"


ERRORS = {
    400: "What was sent cannot be taken; `field` names the part.",
    401: "The key or token is missing, unknown or revoked.",
    403: "The key or token may not do this.",
    404: "There is nothing here.",
    409: "Not as things stand now.",
    429: "Too much at once: try again after `Retry-After` seconds.",
    503: "Cuebird cannot take it now, and has stored nothing: send it again after `Retry-After` seconds.",
}


class ManagementSchema(AutoSchema):
    """Describe a view by its ``shapes``; what has none is described as an object."""

    @property
    def shape(self) -> Shape:
        shapes: dict[str, Shape] = getattr(self.view, "shapes", {})
        return shapes.get(self.method, Shape())

    def get_tags(self) -> list[str]:
        return [str(getattr(self.view, "area", "webhooks"))]

    def get_operation_id(self) -> str:
        words = self.path.removeprefix("/api/v1/manage").removeprefix("/api").replace("/v1/", "/track/")
        return "_".join(part for part in [self.method.lower(), *re.split(r"[{}./_-]+", words)] if part)

    def get_override_parameters(self) -> list[Any]:
        return list(self.shape.parameters)

    def get_request_serializer(self) -> Any:
        body = self.shape.body
        return {self.shape.media_type: body} if body else None

    def get_response_serializers(self) -> Any:
        good = OpenApiResponse(self.shape.answer or OBJECT, "Done.")
        return {self.shape.status: good, **{status: OpenApiResponse(ERROR, text) for status, text in ERRORS.items()}}


class TrackingSchema(ManagementSchema):
    """Describe the tracking API: one view serves every kind of call."""

    @property
    def shape(self) -> Shape:
        kind = str(getattr(self.view, "kind", ""))
        return Shape(SUCCESS, CALLS.get(kind, BATCH))

    def get_tags(self) -> list[str]:
        return ["tracking"]


Endpoint = tuple[str, str, str, Any]


def name_kinds(endpoints: list[Endpoint]) -> list[Endpoint]:
    """Give the addresses of the tracking API their names, which stand in no captured group."""
    return [
        (f"/v1/{kind}" if (kind := _kind(view)) else path, pattern, method, view)
        for path, pattern, method, view in endpoints
    ]


def _kind(view: Any) -> str:
    return str(getattr(view, "initkwargs", {}).get("kind", ""))


class TokenScheme(OpenApiAuthenticationExtension):  # type: ignore[no-untyped-call]
    """Say how a token is shown."""

    target_class = "events.api.authentication.TokenAuthentication"
    name = "token"

    def get_security_definition(self, auto_schema: AutoSchema) -> Schema:
        return {"type": "http", "scheme": "bearer", "description": "A token from the admin's page “API tokens”."}


class WriteKeyScheme(OpenApiAuthenticationExtension):  # type: ignore[no-untyped-call]
    """Say how a write key is shown."""

    target_class = "events.api.authentication.WriteKeyAuthentication"
    name = "write key"

    def get_security_definition(self, auto_schema: AutoSchema) -> Schema:
        return {"type": "http", "scheme": "basic", "description": "A source's write key as user name, no password."}


class AddressKeyScheme(OpenApiAuthenticationExtension):  # type: ignore[no-untyped-call]
    """Say how a write key is shown in an address."""

    target_class = "events.api.pixel.KeyInAddress"
    name = "write key in the address"

    def get_security_definition(self, auto_schema: AutoSchema) -> Schema:
        return {"type": "apiKey", "in": "query", "name": "writeKey", "description": "A source's public key."}
