"""Segments: who is in which, how that came and grows, and where it is used."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, StreamingHttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import URLPattern, path, reverse
from django.utils.safestring import SafeString
from django.views.decorators.http import require_POST
from unfold.widgets import UnfoldAdminTextareaWidget, UnfoldAdminTextInputWidget

from events import audit, panels, people, references, unknown
from events.admin import gather
from events.admin.condition_field import ConditionField
from events.admin.segment_facts import SHOWN, facts_context, plans_context
from events.admin_in_turn import InTurnAdmin
from events.audit import Actor
from events.models import Import, Profile, Segment, SegmentMember, Source
from events.segments import keeping, lists, usage
from events.segments.building import percent
from events.segments.starters import STARTERS
from events.templatetags.console import amount, badge, moment
from events.transfers import files, imports
from events.transfers.reading import RowError

MAX_IDS = 1_000
EXPLAIN = "events.explain_segment"


class SegmentForm(forms.ModelForm):  # type: ignore[type-arg]
    """What a segment is called and who belongs to it."""

    condition = ConditionField(
        required=False,
        help_text="Who belongs to it. Nobody is asked before you save or press “Count who matches”.",
    )

    class Meta:
        model = Segment
        fields = ("name", "slug", "description", "kind", "condition")
        labels = {"slug": "Short name", "kind": "How people come in"}  # noqa: RUF012
        error_messages = {  # noqa: RUF012
            "name": {"required": "Give the segment a name.", "unique": "There is a segment of this name already."},
            "slug": {
                "required": "Give the segment a short name, such as power-users.",
                "unique": "There is a segment of this short name already. Choose another.",
            },
        }
        widgets = {  # noqa: RUF012
            "name": UnfoldAdminTextInputWidget(),
            "slug": UnfoldAdminTextInputWidget(),
            "description": UnfoldAdminTextareaWidget(attrs={"rows": 2}),
        }

    def clean(self) -> dict[str, Any]:
        """Look for circles in the transaction that saves, while nobody else names a segment."""
        references.hold()
        found: dict[str, Any] = super().clean() or {}
        kind = found.get("kind", self.instance.kind)
        slug = found.get("slug", self.instance.slug)
        if "condition" not in self.errors:
            for problem in keeping.problems(kind, slug, found.get("condition")):
                self.add_error("condition", problem)
        return found


class ListForm(forms.Form):
    """A CSV of people for a list, and what to do with them."""

    file = forms.FileField(label="CSV file", error_messages={"required": "Choose a CSV file, up to 512 MB."})
    named_by = forms.ChoiceField(
        label="People are named by",
        required=False,
        choices=[
            ("", "guess it from the first line"),
            ("user_id", "user id"),
            ("email", "email"),
            ("anonymous_id", "anonymous id"),
            ("any", "whichever of these it is"),
        ],
    )
    listing = forms.ChoiceField(label="What to do", choices=Import.Listing.choices)
    unknown = forms.ChoiceField(label="People nobody knows yet", choices=Import.Unknown.choices)
    triggers = forms.BooleanField(label="Campaigns hear of who enters and leaves", required=False)
    source = forms.ModelChoiceField(label="Comes from", queryset=Source.objects.filter(is_sandbox=False))

    def store(self, request: HttpRequest, segment: Segment) -> Import | None:
        """Save the file and have it checked; None, with the mistake at the field, when it is no such file."""
        said = self.cleaned_data
        new = Import(
            kind=Import.Kind.PROFILES,
            format=Import.Format.CSV,
            file_name=said["file"].name[:200],
            segment=segment,
            created_by_id=request.user.pk,
            **{name: said[name] for name in ("source", "triggers", "listing", "unknown")},
        )
        try:
            imports.store(new, said["file"].chunks(), named_by=said["named_by"])
        except RowError as error:
            self.add_error("file", str(error))
            return None
        imports.begin(new, Import.State.CHECKING)
        return new


@admin.register(Segment)
class SegmentAdmin(InTurnAdmin):
    form = SegmentForm
    list_display = ("name", "people", "how", "status", "changed")
    list_display_links = ("name",)
    search_fields = ("name", "slug", "description")
    list_filter = ("kind",)
    show_full_result_count = False
    prepopulated_fields = {"slug": ("name",)}  # noqa: RUF012
    list_before_template = "admin/events/segments/starters.html"
    empty_help = "A segment is a group of people that stays current by itself. Start from one of those above."
    change_form_outer_before_template = "admin/events/segments/facts.html"

    def get_readonly_fields(self, request: HttpRequest, obj: Segment | None = None) -> tuple[str, ...]:
        return ("slug", "kind") if obj else ()

    def get_prepopulated_fields(self, request: HttpRequest, obj: Segment | None = None) -> dict[str, Any]:
        return {} if obj else dict(self.prepopulated_fields)

    @admin.display(description="People", ordering="size")
    def people(self, segment: Segment) -> str:
        return amount(segment.size)

    @admin.display(description="How people come in", ordering="kind")
    def how(self, segment: Segment) -> str:
        return "By hand" if segment.kind == Segment.Kind.MANUAL else "By a condition"

    @admin.display(description="State")
    def status(self, segment: Segment) -> SafeString:
        building = segment.state == Segment.State.BUILDING
        return badge("info", f"Looking through everybody, {percent(segment)} %") if building else badge("ok", "Live")

    @admin.display(description="Last change", ordering="changed_at")
    def changed(self, segment: Segment) -> SafeString | str:
        return moment(segment.changed_at) if segment.changed_at else "Nobody has entered or left yet"

    def get_changeform_initial_data(self, request: HttpRequest) -> dict[str, Any]:
        """Begin with a starter, where one was chosen."""
        chosen = next((one for one in STARTERS if one.slug == request.GET.get("starter")), None)
        if chosen is None:
            return dict(super().get_changeform_initial_data(request))
        return {name: getattr(chosen, name) for name in ("slug", "name", "description", "condition")}

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        response: HttpResponse = super().changelist_view(
            request, {"title": "Segments", "starters": STARTERS, **(extra_context or {})}
        )
        return response

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        segment = self.get_object(request, object_id)
        facts = facts_context(segment) if segment else {}
        if segment:
            facts["may_explain"] = segment.condition is not None and request.user.has_perm(EXPLAIN)
            facts["max_ids"] = MAX_IDS
            facts["list_form"] = ListForm(initial={"source": Source.objects.filter(is_sandbox=False).first()})
        context = {"show_save_and_add_another": False, **(extra_context or {}), **facts}
        response: HttpResponse = super().change_view(request, object_id, form_url, context)
        return response

    def save_model(self, request: HttpRequest, obj: Segment, form: Any, change: bool) -> None:
        """Ask everybody anew when the condition has changed."""
        keeping.store(obj, form.changed_data)
        audit.note(Actor.of_user(request.user), "segment", segment=obj.slug, changed=form.changed_data)
        for warning in unknown.warnings(obj.condition) if obj.condition is not None else ():
            messages.warning(request, warning.message)

    def has_delete_permission(self, request: HttpRequest, obj: Segment | None = None) -> bool:
        """Nobody takes a segment from under those who use it: its page says who does."""
        allowed = super().has_delete_permission(request, obj)
        return bool(allowed and (obj is None or not usage.uses(obj)))

    def delete_view(
        self, request: HttpRequest, object_id: str, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        try:
            response: HttpResponse = super().delete_view(request, object_id, extra_context)
        except keeping.InUse as error:
            messages.error(request, f"It was not deleted. {error}")
            return redirect(reverse("admin:events_segment_change", args=[object_id]))
        return response

    def delete_model(self, request: HttpRequest, obj: Segment) -> None:
        """Look once more for uses: somebody may have named it while this page was read."""
        keeping.delete(obj)
        audit.note(Actor.of_user(request.user), "segment", segment=obj.slug, deleted=True)

    def get_actions(self, request: HttpRequest) -> dict[str, Any]:
        return {}

    def get_urls(self) -> list[URLPattern]:
        wrap = self.admin_site.admin_view
        own = [
            path("gather/", wrap(self.gather), name="events_segment_gather"),
            path("<int:pk>/progress/", wrap(self.progress), name="events_segment_progress"),
            path("<int:pk>/file/", wrap(require_POST(self.upload)), name="events_segment_file"),
            path("<int:pk>/members.csv", wrap(require_POST(self.download)), name="events_segment_members"),
            path("<int:pk>/people/", wrap(require_POST(self.edit_people)), name="events_segment_people"),
            path("<int:pk>/explain/", wrap(require_POST(self.explain)), name="events_segment_explain"),
        ]
        return own + list(super().get_urls())

    def gather(self, request: HttpRequest) -> HttpResponse:
        """Make a segment of people who were found or chosen on the list of people."""
        return gather.show(request, {**self.admin_site.each_context(request), "opts": self.opts})

    def progress(self, request: HttpRequest, pk: int) -> HttpResponse:
        """Return how far it is; when everybody has been asked the page is read again."""
        if not self.has_view_permission(request):
            raise PermissionDenied
        segment = get_object_or_404(Segment, pk=pk)
        if segment.state == Segment.State.LIVE:
            return HttpResponse(headers={"HX-Refresh": "true"})
        return render(request, "admin/events/segments/progress.html", {"segment": segment, "percent": percent(segment)})

    def explain(self, request: HttpRequest, pk: int) -> HttpResponse:
        """Return how the database asks the condition, of a batch and of everybody; ``run`` lets it, and times it."""
        if not (self.has_view_permission(request) and request.user.has_perm(EXPLAIN)):
            raise PermissionDenied
        segment = get_object_or_404(Segment, pk=pk, kind=Segment.Kind.DYNAMIC)
        return render(
            request, "admin/events/segments/plans.html", plans_context(segment, run=request.POST.get("run") == "1")
        )

    def edit_people(self, request: HttpRequest, pk: int) -> HttpResponse:
        """Put the people who are named, one a line, into a list that is kept by hand, or take them out."""
        if not self.has_change_permission(request):
            raise PermissionDenied
        segment = get_object_or_404(Segment, pk=pk, kind=Segment.Kind.MANUAL)
        ids = [line.strip() for line in request.POST.get("ids", "").replace("\0", "").splitlines() if line.strip()]
        found = people.by_many(ids[:MAX_IDS])
        known = [person.pk for person in found.values()]
        verb = lists.remove if request.POST.get("verb") == "remove" else lists.add
        done = verb(segment, known)
        self._say_done(request, done, len(known), removing=verb is lists.remove)
        if unknown := [name for name in ids[:MAX_IDS] if name not in found]:
            messages.warning(
                request, f"Nobody is known as {', '.join(unknown[:10])}{' …' if len(unknown) > 10 else ''}."
            )
        if len(ids) > MAX_IDS:
            messages.warning(request, f"Only the first {MAX_IDS:,} lines were taken: send the rest once more.")
        audit.note(Actor.of_user(request.user), "members", segment=segment.slug, number=done)
        return redirect(reverse("admin:events_segment_change", args=[pk]))

    def _say_done(self, request: HttpRequest, done: int, known: int, *, removing: bool) -> None:
        """Say how many were put in or taken out; where that is nobody, why."""
        verb = "removed" if removing else "added"
        if done:
            messages.success(request, f"{done:,} {verb}.")
        elif known:
            why = "none of these people is in the list" if removing else "all of these people are in the list already"
            messages.info(request, f"Nobody was {verb}: {why}.")
        else:
            messages.warning(request, f"Nobody was {verb}. Name people by user id or email, one a line.")

    def upload(self, request: HttpRequest, pk: int) -> HttpResponse:
        """Take a file of people for the list, and lead to the page of imports, where it is checked first."""
        if not (self.has_change_permission(request) and request.user.has_perm("events.add_import")):
            raise PermissionDenied
        segment = get_object_or_404(Segment, pk=pk, kind=Segment.Kind.MANUAL)
        form = ListForm(request.POST, request.FILES)
        upload = form.store(request, segment) if form.is_valid() else None
        if upload is not None:
            audit.note(Actor.of_user(request.user), "members", segment=segment.slug, file=upload.file_name)
            return redirect(reverse("admin:events_import_change", args=[upload.pk]))
        for errors in form.errors.values():
            messages.error(request, " ".join(str(error) for error in errors))
        return redirect(reverse("admin:events_segment_change", args=[pk]))

    def download(self, request: HttpRequest, pk: int) -> StreamingHttpResponse:
        """Return who is in the segment as a CSV, which can be imported again."""
        if not (self.has_view_permission(request) and request.user.has_perm("events.view_profile")):
            raise PermissionDenied
        segment = get_object_or_404(Segment, pk=pk)
        audit.note(Actor.of_user(request.user), "download", kind="segment", segment=segment.slug)
        return files.members(segment)


def segments_panel(profile: Profile, request: HttpRequest) -> panels.Content | None:
    """Show on a person's page which segments they are in, and since when."""
    if not request.user.has_perm("events.view_segment"):
        return None
    members = SegmentMember.objects.filter(profile=profile).select_related("segment").order_by("segment__name")
    return panels.Content("admin/events/segments/of_person.html", {"members": list(members[:SHOWN])})
