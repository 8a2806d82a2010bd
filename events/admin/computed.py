"""Computed traits: what is known of people because it was reckoned from what they did."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied, ValidationError
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import get_object_or_404, render
from django.urls import URLPattern, path, reverse
from django.utils import timezone
from django.utils.safestring import SafeString
from django.views.decorators.http import require_POST
from unfold.widgets import UnfoldAdminTextareaWidget, UnfoldAdminTextInputWidget

from events import patience, people, vocabulary
from events.admin.condition_field import ConditionField, ConditionWidget
from events.admin_in_turn import InTurnAdmin
from events.audit import Actor
from events.computed import definitions, keeping, usage, writing
from events.computed.words import sentence
from events.models import ComputedTrait, ComputedValue
from events.segments.building import percent
from events.templatetags.console import badge

EXAMPLE_SECONDS = 3
COUNTED = 100_000
STATES = {"building": "info", "live": "ok", "going": "muted"}


class ComputedForm(forms.ModelForm):  # type: ignore[type-arg]
    """What is to be reckoned. Of the properties the first is what counts; the others are shown with it."""

    property = forms.CharField(
        required=False,
        max_length=200,
        label="Property",
        help_text="Such as sku or total; product.name for what is nested. Not for counting events.",
        widget=UnfoldAdminTextInputWidget(attrs={"list": "computed-properties", "autocomplete": "off"}),
    )
    also = forms.CharField(
        required=False,
        label="Show with it",
        help_text="More properties of the same event, with commas: each value is then an object, "
        "as in {{ item.sku }} and {{ item.name }}.",
        widget=UnfoldAdminTextInputWidget(attrs={"placeholder": "name, price, url"}),
    )
    where = ConditionField(
        required=False,
        label="Only events where",
        widget=ConditionWidget("where", "event", "No filter: every such event counts."),
    )

    class Meta:
        model = ComputedTrait
        fields = ("name", "description", "function", "event_type", "event", "number", "within")
        labels = {  # noqa: RUF012
            "function": "What to compute",
            "event_type": "Of",
            "event": "Its name",
            "number": "How many values at most",
            "within": "Only of the last",
        }
        help_texts = {  # noqa: RUF012
            "number": "For a list of the last different values.",
            "within": "A time span such as 24h, 30d or 12w. Empty: of all time.",
        }
        widgets = {  # noqa: RUF012
            "name": UnfoldAdminTextInputWidget(attrs={"autocomplete": "off", "spellcheck": "false"}),
            "description": UnfoldAdminTextareaWidget(attrs={"rows": 2}),
            "event": UnfoldAdminTextInputWidget(attrs={"list": "computed-events", "autocomplete": "off"}),
            "within": UnfoldAdminTextInputWidget(attrs={"placeholder": "30d"}),
        }

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        first, *others = self.instance.properties or [""]
        self.initial.update(property=first, also=", ".join(others), where=self.instance.where)

    def clean(self) -> dict[str, Any]:
        found: dict[str, Any] = super().clean() or {}
        function = found.get("function")
        # What the page hides, because this function does without it, may still hold what was typed before.
        first = "" if function in definitions.WITHOUT_PROPERTY else found.get("property", "").strip()
        also = found.get("also", "") if function in definitions.WITH_OBJECTS else ""
        others = [path.strip() for path in also.split(",")]
        self.instance.properties = [path for path in (first, *others) if path] if first else []
        if "where" not in self.errors:
            self.instance.where = found.get("where")
        return found

    def _post_clean(self) -> None:
        """Ask what is wrong once the row has all that was said."""
        super()._post_clean()  # type: ignore[misc]
        if self.errors:
            return
        for name, problem in keeping.problems(self.instance).items():
            self.add_error("property" if name == "properties" else name, problem)


@admin.register(ComputedTrait)
class ComputedTraitAdmin(InTurnAdmin):
    form = ComputedForm
    list_display = ("name", "what", "status", "made")
    list_display_links = ("name",)
    search_fields = ("name", "description", "event")
    show_full_result_count = False
    empty_help = (
        "A computed trait follows from what people did: the products somebody saw last, how often they ordered, what "
        "they spent. It stays current by itself, and templates and conditions use it like any other trait."
    )
    change_form_outer_before_template = "admin/events/computed/facts.html"
    change_form_after_template = "admin/events/computed/example.html"
    fieldsets = (
        (None, {"fields": ("name", "description")}),
        ("What it is", {"fields": ("function", "event_type", "event", "property", "also", "number")}),
        ("Which events count", {"fields": ("where", "within")}),
    )

    def get_readonly_fields(self, request: HttpRequest, obj: ComputedTrait | None = None) -> tuple[str, ...]:
        return ("name",) if obj else ()

    @admin.display(description="What it is")
    def what(self, row: ComputedTrait) -> str:
        said = sentence(row)
        return said[:1].upper() + said[1:]

    @admin.display(description="State", ordering="state")
    def status(self, row: ComputedTrait) -> SafeString:
        progress = f", {percent(row)} %" if row.state == ComputedTrait.State.BUILDING else ""
        return badge(STATES[row.state], f"{row.get_state_display()}{progress}")

    @admin.display(description="Made by", ordering="created_at")
    def made(self, row: ComputedTrait) -> str:
        return row.created_by

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        response: HttpResponse = super().changelist_view(request, {"title": "Computed traits", **(extra_context or {})})
        return response

    def changeform_view(
        self,
        request: HttpRequest,
        object_id: str | None = None,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> HttpResponse:
        row = self.get_object(request, object_id) if object_id else None
        context = {
            "show_save_and_add_another": False,
            "events_seen": vocabulary.words("event"),
            **(extra_context or {}),
        }
        about = vocabulary.About(event=row.event, type=row.event_type) if row else vocabulary.NOTHING
        context["properties_seen"] = vocabulary.words("property", about)
        if row:
            context |= facts(row)
        response: HttpResponse = super().changeform_view(request, object_id, form_url, context)
        return response

    def save_model(self, request: HttpRequest, obj: ComputedTrait, form: Any, change: bool) -> None:
        keeping.save(obj, Actor.of_user(request.user))

    def has_change_permission(self, request: HttpRequest, obj: ComputedTrait | None = None) -> bool:
        going = obj is not None and obj.state == ComputedTrait.State.GOING
        return bool(super().has_change_permission(request, obj) and not going)

    def has_delete_permission(self, request: HttpRequest, obj: ComputedTrait | None = None) -> bool:
        """It is removed by the button of its page, in the background: its values stand with many people."""
        return False

    def get_actions(self, request: HttpRequest) -> dict[str, Any]:
        return {}

    def get_urls(self) -> list[URLPattern]:
        wrap = self.admin_site.admin_view
        own = [
            path("example/", wrap(require_POST(self.example)), name="events_computedtrait_example"),
            path("properties/", wrap(self.properties), name="events_computedtrait_properties"),
            path("<int:pk>/progress/", wrap(self.progress), name="events_computedtrait_progress"),
            path("<int:pk>/remove/", wrap(require_POST(self.remove)), name="events_computedtrait_remove"),
        ]
        return own + list(super().get_urls())

    def example(self, request: HttpRequest) -> HttpResponse:
        """Return what the form, as it stands, would come to for the person who is named."""
        if not (self.has_view_permission(request) and request.user.has_perm("events.view_profile")):
            raise PermissionDenied
        kept = ComputedTrait.objects.filter(name=request.POST.get("kept", "")).first()
        form = ComputedForm(request.POST, instance=kept or ComputedTrait())
        if kept:
            del form.fields["name"]
        context: dict[str, Any] = {"form": form}
        name = request.POST.get("person", "").replace("\0", "").strip()
        person = people.by_any(name) if name else None
        if not form.is_valid():
            context["problem"] = "Fill in the form first: " + "; ".join(
                f"{form.fields[field].label or field}: {errors[0]}"
                for field, errors in form.errors.items()
                if field in form.fields
            )
        elif person is None:
            context["problem"] = f"Nobody is known as “{name}”." if name else "Name a person by user id or email."
        else:
            context |= {"person": person, "sentence": sentence(form.instance), **_value(form.instance, person.pk)}
        return render(request, "admin/events/computed/answer.html", context)

    def properties(self, request: HttpRequest) -> HttpResponse:
        """Return the properties that an event of this name has had, as options."""
        if not self.has_view_permission(request):
            raise PermissionDenied
        about = vocabulary.About(request.GET.get("event", "").replace("\0", ""), request.GET.get("event_type", "track"))
        return render(request, "admin/events/computed/options.html", {"words": vocabulary.words("property", about)})

    def progress(self, request: HttpRequest, pk: int) -> HttpResponse:
        """Return how far it is; when it is done the page is read again."""
        if not self.has_view_permission(request):
            raise PermissionDenied
        row = ComputedTrait.objects.filter(pk=pk).first()
        if row is None:
            return HttpResponse(headers={"HX-Redirect": reverse("admin:events_computedtrait_changelist")})
        if row.state == ComputedTrait.State.LIVE:
            return HttpResponse(headers={"HX-Refresh": "true"})
        return render(request, "admin/events/computed/progress.html", {"row": row, "percent": percent(row)})

    def remove(self, request: HttpRequest, pk: int) -> HttpResponse:
        """Have it and its values go, unless something uses it."""
        if not super().has_delete_permission(request):
            raise PermissionDenied
        row = get_object_or_404(ComputedTrait, pk=pk)
        try:
            keeping.remove(row, Actor.of_user(request.user))
        except keeping.InUse as error:
            messages.error(request, f"{row.name} was not removed. {error}")
        else:
            messages.success(request, f"{row.name} is being taken from everybody.")
        return HttpResponseRedirect(reverse("admin:events_computedtrait_change", args=[pk]))


def _value(row: ComputedTrait, person: int) -> dict[str, Any]:
    try:
        with patience.at_most(EXAMPLE_SECONDS):
            found = writing.preview(definitions.read(row), [person], timezone.now())
    except patience.TooLong:
        return {"problem": "This person did so much that it takes too long: ask about a shorter time."}
    except ValidationError as error:
        return {"problem": "; ".join(error.messages)}
    return {"value": found.get(person)}


def facts(row: ComputedTrait) -> dict[str, Any]:
    """Return what the page tells about a computed trait. Nothing is reckoned here."""
    number = ComputedValue.objects.filter(computed=row)[: COUNTED + 1].count()
    return {
        "row": row,
        "sentence": sentence(row),
        "percent": percent(row),
        "people": min(number, COUNTED),
        "more": number > COUNTED,
        "uses": usage.uses(row.name),
        "is_list": row.function == ComputedTrait.Function.LAST_VALUES,
        "is_object": len(row.properties) > 1,
    }
