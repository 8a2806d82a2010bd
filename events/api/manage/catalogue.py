"""The tracking plan by API: ``/catalogue/``, ``/catalogue/{name}/`` and ``/violations/``.

Names are what events are called; calls other than track stand under ``[identify]``, ``[page]`` …. What has been learned
is read only; what is wanted of a name can be changed, and is audited.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from datetime import timedelta
from typing import Any

from django.core.exceptions import ValidationError
from django.db import IntegrityError, transaction
from django.db.models import Count
from django.http import Http404, HttpResponse
from django.urls import URLPattern, re_path
from django.utils import timezone
from rest_framework.request import Request

from events import audit, catalog, counts, naming
from events.api.manage.base import (
    ManagementView,
    before_id,
    limit_of,
    page,
    read_body,
    respond,
    text_of,
    time_of,
    token_of,
)
from events.api.openapi import CURSOR, PERIOD, Shape, text
from events.api.refusal import Refusal
from events.api.shapes import CHANGED_DEFINITION, DEFINITION, NEW_DEFINITION, ONE_DEFINITION, VIOLATION, pages
from events.audit import Actor
from events.models import EventDefinition, PropertyStat, Violation

DAYS = 7
MAX_NAME = 512
# What can be wanted of a name, and whether null takes the wish back.
WISHES: dict[str, type] = {
    "description": str,
    "expected": bool,
    "schema": dict,
    "schema_mode": str,
    "rename_to": str,
    "throttle_seconds": int,
    "retention_days": int,
}
NULLABLE = {"schema", "throttle_seconds", "retention_days"}
BOUNDS = {"throttle_seconds": 2**31 - 1, "retention_days": 36_500}
FILTERS = [
    text("name", "How the name begins, in any case."),
    text("expected", "true: only what is planned; false: only what is not."),
]


class CatalogueView(ManagementView):
    """List the names of events that were seen or planned, the last learned first; or plan one ahead."""

    area = "catalogue"
    shapes = {
        "GET": Shape(pages(DEFINITION), parameters=[*FILTERS, *CURSOR]),
        "POST": Shape(ONE_DEFINITION, NEW_DEFINITION, status=201),
    }

    def get(self, request: Request) -> HttpResponse:
        found = EventDefinition.objects.filter(pk__lt=before_id(request)).order_by("-pk")
        if begin := text_of(request, "name"):
            found = found.filter(name__istartswith=begin)
        if expected := text_of(request, "expected"):
            if expected not in ("true", "false"):
                raise Refusal("invalid_value", "expected has to be true or false.", "expected")
            found = found.filter(expected=expected == "true")
        rows = list(found[: limit_of(request) + 1])
        shown = _entries(rows)
        return page(request, rows, lambda row: shown[row.name], lambda row: str(row.pk))

    def post(self, request: Request) -> HttpResponse:
        said = read_body(request, {"name": str, **WISHES})
        name = said.pop("name", None) or ""
        if not name.strip():
            raise Refusal("missing_field", "Name the event.", "name")
        if len(name) > MAX_NAME:
            raise Refusal("invalid_value", f"A name may have {MAX_NAME} characters.", "name")
        definition = EventDefinition(name=name, expected=True)
        with transaction.atomic():
            _apply(definition, said)
            try:
                with transaction.atomic():
                    definition.save()
            except IntegrityError:
                raise Refusal("taken", "This name is in the catalogue already.", "name", 409) from None
            _note(request, definition, ["name", *said])
        return respond(_whole(definition), 201)


class EventNameView(ManagementView):
    """Show all that is known and wanted of one event name, or change what is wanted; null takes a wish back."""

    area = "catalogue"
    shapes = {
        "GET": Shape(ONE_DEFINITION),
        "PATCH": Shape(ONE_DEFINITION, CHANGED_DEFINITION),
    }

    def get(self, request: Request, name: str) -> HttpResponse:
        return respond(_whole(_find(name)))

    def patch(self, request: Request, name: str) -> HttpResponse:
        said = read_body(request, WISHES)
        definition = _find(name)
        _apply(definition, said)
        if said:
            with transaction.atomic():
                definition.save(update_fields=list(said))
                _note(request, definition, said)
        return respond(_whole(definition))


class ViolationsView(ManagementView):
    """List events that did not keep to their schema, newest first, each with a sample; kept for days."""

    area = "catalogue"
    shapes = {"GET": Shape(pages(VIOLATION), parameters=[text("name", "Named exactly."), *PERIOD, *CURSOR])}

    def get(self, request: Request) -> HttpResponse:
        found = Violation.objects.filter(pk__lt=before_id(request)).select_related("source").order_by("-pk")
        if name := text_of(request, "name"):
            found = found.filter(name=name)
        for parameter, lookup in (("since", "occurred_at__gte"), ("until", "occurred_at__lt")):
            if at := time_of(request, parameter):
                found = found.filter(**{lookup: at})
        return page(request, list(found[: limit_of(request) + 1]), _violation, lambda row: str(row.pk))


def _find(name: str) -> EventDefinition:
    definition = EventDefinition.objects.filter(name=name).first() if "\0" not in name else None
    if definition is None:
        raise Http404("No event of this name has been seen or planned.")
    return definition


def _apply(definition: EventDefinition, said: Mapping[str, Any]) -> None:
    """Set what is said. Raises Refusal, which names the field."""
    for name, value in said.items():
        if value is None and name not in NULLABLE:
            raise Refusal("invalid_value", f"{name} cannot be null.", name)
        if name in BOUNDS and value is not None and not 1 <= value <= BOUNDS[name]:
            raise Refusal("invalid_value", f"{name} has to be from 1 to {BOUNDS[name]}, or null.", name)
        setattr(definition, name, value)
    if definition.schema_mode not in EventDefinition.SchemaMode.values:
        modes = ", ".join(EventDefinition.SchemaMode.values)
        raise Refusal("invalid_value", f"schema_mode has to be one of {modes}.", "schema_mode")
    if len(definition.rename_to) > MAX_NAME:
        raise Refusal("invalid_value", f"A name may have {MAX_NAME} characters.", "rename_to")
    try:
        definition.clean()
    except ValidationError as error:
        field, messages = next(iter(error.message_dict.items()))
        raise Refusal("invalid_value", " ".join(messages), field) from None


def _note(request: Request, definition: EventDefinition, changed: Iterable[str]) -> None:
    audit.note(Actor.of_token(token_of(request)), "plan", event=definition.name, changed=list(changed))


def _entries(rows: Iterable[EventDefinition]) -> dict[str, dict[str, object]]:
    """Return what a list shows of each, by name. Three statements."""
    rows = list(rows)
    names = [row.name for row in rows]
    now = timezone.now()
    volumes: defaultdict[str, int] = defaultdict(int)
    for _, name, count in counts.per_hour(names, now - timedelta(days=DAYS)):
        volumes[name] += count
    recent = Violation.objects.filter(name__in=names, occurred_at__gte=now - timedelta(days=1))
    violated = dict(recent.values_list("name").annotate(Count("pk")).order_by())
    known = PropertyStat.objects.filter(definition__in=rows)
    properties = dict(known.values_list("definition").annotate(Count("pk")).order_by())
    return {
        row.name: {
            "name": row.name,
            **{wish: getattr(row, wish) for wish in WISHES if wish != "schema"},
            "has_schema": row.schema is not None,
            "first_seen_at": row.first_seen_at,
            "last_seen_at": row.last_seen_at,
            "volume_7d": volumes[row.name],
            "violations_24h": violated.get(row.name, 0),
            "property_count": properties.get(row.pk, 0),
            "advice": _advice(row.name),
        }
        for row in rows
    }


def _advice(name: str) -> dict[str, str] | None:
    """Return what is odd about a name."""
    found = naming.advice(name)
    return {"message": found.message, "suggestion": found.suggestion} if found else None


def _whole(definition: EventDefinition) -> dict[str, object]:
    """Return all there is about one name."""
    stats = catalog.properties(definition.name)
    return {
        **_entries([definition])[definition.name],
        "schema": definition.schema,
        "suggested_schema": catalog.suggested_schema(definition),
        "volume": _daily(definition.name),
        "properties": [
            {
                "path": stat.path,
                "types": stat.types,
                "fill_rate": _rate(stat.filled, definition.observed),
                "examples": stat.examples,
                "last_seen_at": stat.last_seen_at,
            }
            for stat in stats
        ],
    }


def _daily(name: str) -> list[dict[str, object]]:
    """Return how many events came on each of the last days, UTC, oldest first."""
    today = timezone.now().replace(hour=0, minute=0, second=0, microsecond=0)
    days = {(today - timedelta(days=back)).date(): 0 for back in range(DAYS - 1, -1, -1)}
    for hour, _, count in counts.per_hour([name], today - timedelta(days=DAYS - 1)):
        if hour.date() in days:
            days[hour.date()] += count
    return [{"day": day.isoformat(), "count": count} for day, count in days.items()]


def _rate(filled: int, observed: int) -> float:
    return min(1.0, round(filled / observed, 4)) if observed else 0.0


def _violation(row: Violation) -> dict[str, object]:
    return {
        "id": row.pk,
        "occurred_at": row.occurred_at,
        "source": row.source.name if row.source else None,
        "name": row.name,
        "path": row.path,
        "message": row.message,
        "blocked": row.blocked,
        "sample": row.sample,
    }


# Like a user id, a name may hold anything, slashes included.
urlpatterns: list[URLPattern] = [
    re_path(r"^violations/?\Z", ViolationsView.as_view(), name="manage-violations"),
    re_path(r"^catalogue/?\Z", CatalogueView.as_view(), name="manage-catalogue"),
    re_path(r"^catalogue/(?P<name>(?s:.+?))/?\Z", EventNameView.as_view(), name="manage-event-name"),
]
