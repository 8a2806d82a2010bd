"""The tracking plan: which events there are, how much of each, what is odd about them, and what is wanted of them."""

from __future__ import annotations

import json
from collections import Counter
from datetime import datetime, timedelta
from typing import Any

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied, ValidationError
from django.db.models import Count, QuerySet
from django.forms.fields import InvalidJSONInput
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.urls import URLPattern, path, reverse
from django.utils import timezone
from django.utils.html import format_html, format_html_join
from django.utils.http import urlencode
from django.utils.safestring import SafeString
from django.utils.text import Truncator
from django.views.decorators.http import require_POST
from unfold.admin import ModelAdmin
from unfold.views import ChangeList
from unfold.widgets import UnfoldAdminTextareaWidget, UnfoldAdminTextInputWidget

from events import audit, catalog, counts, naming, panels
from events.audit import Actor
from events.models import EventDefinition, Violation
from events.templatetags.console import amount, badge, moment

DAYS = 7
# Bars of six hours: a day's rhythm shows, and a week is no wider than a word.
BAR = timedelta(hours=6)
BARS = DAYS * 4
# From so many events a day on, a day without any is remarkable.
REGULAR_PER_DAY = 5
LISTED = 12
NAME_LETTERS = 44


class SchemaField(forms.JSONField):
    """JSON to be read and written by people: in lines, and empty where there is none."""

    too_deep = "The schema is nested too deeply."

    def prepare_value(self, value: Any) -> Any:
        if isinstance(value, InvalidJSONInput):
            return value
        return "" if value is None else json.dumps(value, ensure_ascii=False, indent=2)

    def bound_data(self, data: Any, initial: Any) -> Any:
        try:
            return super().bound_data(data, initial)
        except RecursionError:
            return InvalidJSONInput(data)

    def to_python(self, value: Any) -> Any:
        try:
            return super().to_python(value)
        except RecursionError:
            raise ValidationError(self.too_deep) from None


class DefinitionForm(forms.ModelForm):  # type: ignore[type-arg]
    """What is wanted of one event."""

    schema = SchemaField(
        required=False,
        widget=UnfoldAdminTextareaWidget(attrs={"rows": 12, "spellcheck": "false", "style": "font-family: monospace"}),
        help_text='JSON Schema that the properties keep to, such as {"required": ["price"]}. Empty: anything goes.',
    )

    class Meta:
        model = EventDefinition
        fields = (
            "name",
            "description",
            "expected",
            "schema",
            "schema_mode",
            "rename_to",
            "throttle_seconds",
            "retention_days",
        )
        labels = {  # noqa: RUF012
            "schema_mode": "When an event does not keep to it",
            "rename_to": "Store as",
            "throttle_seconds": "Throttle, in seconds",
            "retention_days": "Keep for, in days",
        }
        widgets = {  # noqa: RUF012
            "name": UnfoldAdminTextInputWidget(),
            "rename_to": UnfoldAdminTextInputWidget(),
            "description": UnfoldAdminTextareaWidget(attrs={"rows": 2}),
        }


class Listed(ChangeList):
    """The list of a page, with what the rows need of other tables: three statements, however many rows."""

    def get_results(self, request: HttpRequest) -> None:
        super().get_results(request)
        # The head of the page would offer to show all, of all.
        self.full_result_count = self.result_count
        rows: list[Any] = list(self.result_list)  # type: ignore[has-type]
        names = [row.name for row in rows]
        now = timezone.now()
        volumes = bars(names, now)
        twins = better_twins()
        recent = Violation.objects.filter(name__in=names, occurred_at__gte=now - timedelta(days=1))
        violated = dict(recent.values_list("name").annotate(Count("pk")).order_by())
        for row in rows:
            row.bars, row.twins, row.violated = volumes[row.name], twins.get(row.name, []), violated.get(row.name, 0)
        self.result_list = rows


@admin.register(EventDefinition)
class EventDefinitionAdmin(ModelAdmin):
    form = DefinitionForm
    list_display = ("event", "volume", "last_seen", "property_count", "notes", "violations")
    search_fields = ("name", "description")
    list_filter = ("expected", "schema_mode")
    list_per_page = 50
    show_full_result_count = False
    empty_help = "As soon as events arrive, they are listed here with their properties. You can also plan one ahead."
    list_before_template = "admin/events/plan/audit.html"
    change_form_outer_before_template = "admin/events/plan/seen.html"

    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> type[ChangeList]:
        return Listed

    def get_queryset(self, request: HttpRequest) -> QuerySet[EventDefinition]:
        queryset: QuerySet[EventDefinition] = super().get_queryset(request)
        return queryset.annotate(known=Count("properties"))

    def get_changeform_initial_data(self, request: HttpRequest) -> dict[str, Any]:
        """Who adds a name by hand wants it."""
        return {"expected": True, **super().get_changeform_initial_data(request)}

    def save_model(self, request: HttpRequest, obj: EventDefinition, form: Any, change: bool) -> None:
        super().save_model(request, obj, form, change)
        _note(request, obj, form.changed_data)

    def get_fields(self, request: HttpRequest, obj: EventDefinition | None = None) -> list[str]:
        return [name for name in DefinitionForm.Meta.fields if obj is None or name != "name"]

    @admin.display(description="Event", ordering="name")
    def event(self, definition: EventDefinition) -> str:
        return Truncator(definition.name).chars(NAME_LETTERS)

    @admin.display(description="Last 7 days")
    def volume(self, definition: Any) -> SafeString:
        return sparkline(definition.bars)

    @admin.display(description="Last seen", ordering="last_seen_at")
    def last_seen(self, definition: EventDefinition) -> SafeString | str:
        return moment(definition.last_seen_at) if definition.last_seen_at else badge("muted", "Never")

    @admin.display(description="Properties", ordering="known")
    def property_count(self, definition: Any) -> int:
        return int(definition.known)

    @admin.display(description="Notes")
    def notes(self, definition: Any) -> SafeString:
        return format_html_join(" ", "{}", ((each,) for each in marks(definition)))

    @admin.display(description="Violations, 24 h")
    def violations(self, definition: Any) -> SafeString | str:
        if not definition.violated:
            return "–"
        return format_html('<a href="{}">{}</a>', violations_of(definition), badge("bad", amount(definition.violated)))

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        now = timezone.now()
        context = {
            "title": "Tracking plan",
            "silent": silent(now),
            "fresh": fresh(now),
            "full": catalog.is_full() and catalog.MAX_NAMES,
            **(extra_context or {}),
        }
        response: HttpResponse = super().changelist_view(request, context)
        return response

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        definition = self.get_object(request, object_id)
        seen = seen_context(definition, request) if definition else {}
        context = {"show_save_and_add_another": False, **(extra_context or {}), **seen}
        response: HttpResponse = super().change_view(request, object_id, form_url, context)
        return response

    def get_urls(self) -> list[URLPattern]:
        wrap = self.admin_site.admin_view
        own = [
            path("<int:pk>/rename/", wrap(require_POST(self.rename)), name="events_eventdefinition_rename"),
            path("<int:pk>/suggest/", wrap(require_POST(self.suggest)), name="events_eventdefinition_suggest"),
        ]
        return own + list(super().get_urls())

    def rename(self, request: HttpRequest, pk: int) -> HttpResponse:
        """Store events of this name under the posted one from now on."""
        definition = self._changeable(request, pk)
        definition.rename_to = request.POST.get("to", "").replace("\0", "")
        return self._saved(request, definition, ["rename_to"], "From now on these events are stored under that name.")

    def suggest(self, request: HttpRequest, pk: int) -> HttpResponse:
        """Make a schema of what was seen; it warns until somebody says otherwise."""
        definition = self._changeable(request, pk)
        definition.schema = definition.schema or catalog.suggested_schema(definition)
        definition.schema_mode = EventDefinition.SchemaMode.WARN
        said = "The schema below is what all recent events kept to. Look it over; it only warns for now."
        return self._saved(request, definition, ["schema", "schema_mode"], said)

    def _changeable(self, request: HttpRequest, pk: int) -> EventDefinition:
        if not self.has_change_permission(request):
            raise PermissionDenied
        return get_object_or_404(EventDefinition, pk=pk)

    def _saved(self, request: HttpRequest, definition: EventDefinition, columns: list[str], said: str) -> HttpResponse:
        try:
            definition.clean()
        except ValidationError as error:
            self.message_user(request, " ".join(error.messages), messages.ERROR)
        else:
            definition.save(update_fields=columns)
            _note(request, definition, columns)
            self.log_change(request, definition, [{"changed": {"fields": columns}}])
            self.message_user(request, said, messages.SUCCESS)
        return redirect(reverse("admin:events_eventdefinition_change", args=[definition.pk]))


def _note(request: HttpRequest, definition: EventDefinition, changed: list[str]) -> None:
    audit.note(Actor.of_user(request.user), "plan", event=definition.name, changed=changed)


def violations_of(definition: EventDefinition) -> str:
    """Return the address of one event's violations of the last day."""
    return f"{reverse('admin:events_violation_changelist')}?{urlencode({'span': '24h', 'name': definition.name})}"


def bars(names: list[str], now: datetime) -> dict[str, list[int]]:
    """Return for each name how many events came in each span of the last days, oldest first."""
    start = now.replace(minute=0, second=0, microsecond=0) - BAR * BARS + timedelta(hours=1)
    found = {name: [0] * BARS for name in names}
    for hour, name, count in counts.per_hour(names, start):
        found[name][min((hour - start) // BAR, BARS - 1)] += count
    return found


def sparkline(values: list[int]) -> SafeString:
    """Draw the bars, with their sum in words for who cannot see them."""
    top = max(values) or 1
    drawn = format_html_join(
        "",
        '<rect x="{}" y="{}" width="3" height="{}"></rect>',
        (
            (place * 4, round(20 - 20 * value / top, 1), round(20 * value / top, 1))
            for place, value in enumerate(values)
        ),
    )
    return format_html(
        '<span class="cb-spark"><svg viewBox="0 0 {} 20" aria-hidden="true">{}</svg> {}</span>',
        BARS * 4,
        drawn,
        amount(sum(values)),
    )


def marks(definition: Any) -> list[SafeString]:
    """Return the badges of a row: what is odd about the name, and what is wanted of the event."""
    found = []
    if definition.rename_to:
        found.append(badge("info", f"Stored as {definition.rename_to}"))
    elif naming.advice(definition.name):
        found.append(badge("warn", "Odd name"))
    if definition.twins and not definition.rename_to:
        found.append(badge("warn", f"Like {definition.twins[0]}"))
    if definition.schema and definition.schema_mode != EventDefinition.SchemaMode.OFF:
        blocks = definition.schema_mode == EventDefinition.SchemaMode.BLOCK
        found.append(badge("ok", "Schema, refuses" if blocks else "Schema, warns"))
    if definition.expected:
        found.append(
            badge(
                "ok" if definition.first_seen_at else "warn",
                "Planned" + ("" if definition.first_seen_at else ", never seen"),
            )
        )
    if definition.throttle_seconds:
        found.append(badge("muted", f"One per {definition.throttle_seconds} s"))
    return found


def better_twins() -> dict[str, list[str]]:
    """Return for each name in use those that mean the same and keep to the convention. One statement."""
    names = EventDefinition.objects.filter(rename_to="").values_list("name", flat=True)[: catalog.MAX_NAMES]
    twins = naming.twins(names)
    return {name: [other for other in others if naming.advice(other) is None] for name, others in twins.items()}


def silent(now: datetime) -> list[EventDefinition]:
    """Return events that came regularly during the week and not at all for a day."""
    day = now - timedelta(days=1)
    before: Counter[str] = Counter()
    lately = set()
    for hour, name, count in counts.per_hour(None, now - timedelta(days=DAYS)):
        if hour >= day:
            lately.add(name)
        else:
            before[name] += count
    names = [name for name, count in before.items() if name not in lately and count >= REGULAR_PER_DAY * (DAYS - 1)]
    return list(EventDefinition.objects.filter(name__in=names, rename_to="")[:LISTED])


def fresh(now: datetime) -> list[EventDefinition]:
    """Return events that came for the first time during the last day, and nobody has planned."""
    found = EventDefinition.objects.filter(first_seen_at__gte=now - timedelta(days=1), rename_to="", expected=False)
    return list(found.exclude(name__startswith="[").order_by("-first_seen_at")[:LISTED])


def seen_context(definition: EventDefinition, request: HttpRequest) -> dict[str, Any]:
    """Return what the page shows above the form."""
    now = timezone.now()
    left_out = counts.THROTTLED + definition.name
    recent = Violation.objects.filter(name=definition.name, occurred_at__gte=now - timedelta(days=1))
    advice = naming.advice(definition.name)
    alike = [name for name in better_twins().get(definition.name, []) if not advice or name != advice.suggestion]
    throttled = sum(count for _, _, count in counts.per_hour([left_out], now - timedelta(days=1)))
    return {
        "definition": definition,
        "spark": sparkline(bars([definition.name], now)[definition.name]),
        "stats": [(stat, share(stat.filled, definition.observed)) for stat in catalog.properties(definition.name)],
        "advice": None if definition.rename_to else advice,
        "alike": [] if definition.rename_to else alike,
        "violated": recent.count(),
        "violations_link": violations_of(definition),
        "throttled": throttled,
        "panels": panels.shown(panels.DEFINITION, definition, request),
    }


def share(filled: int, observed: int) -> int:
    return min(100, round(100 * filled / observed)) if observed else 0
