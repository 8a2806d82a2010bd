"""Make a segment of the people on the list of people: those who are chosen, or all who are found there."""

from __future__ import annotations

from typing import Any

from django import forms
from django.core.exceptions import PermissionDenied
from django.db import IntegrityError, transaction
from django.http import HttpRequest, HttpResponse, QueryDict
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils.text import slugify

from events import audit, patience, references
from events.audit import Actor
from events.models import Profile, Segment
from events.searching import Search
from events.segments import gathering, keeping

# What the addresses of the list of people hold; ``IDS`` are those who were chosen.
SEGMENT, TEST, IDS = "segment_memberships__segment__id__exact", "is_test__exact", "ids"
MAX_IDS = 1_000
SHOWN = 10
# What it may take to find these.
SECONDS = 3
TAKEN = "There is a segment of this name already."


class GatherForm(forms.Form):
    """What the segment is called, and whether it stays current."""

    name = forms.CharField(max_length=100, error_messages={"required": "Give the segment a name."})
    how = forms.ChoiceField(
        label="Who is in it",
        choices=[
            ("condition", "Whoever this is true of, now and later"),
            ("list", "These people, until somebody changes the list"),
        ],
        widget=forms.RadioSelect,
    )

    def clean_name(self) -> str:
        name = str(self.cleaned_data["name"])
        if Segment.objects.filter(name=name).exists():
            raise forms.ValidationError(TAKEN)
        return name


def show(request: HttpRequest, context: dict[str, Any]) -> HttpResponse:
    """Ask for a name, then make the segment. The address holds what the list of people was searched for."""
    if not (request.user.has_perm("events.add_segment") and request.user.has_perm("events.view_profile")):
        raise PermissionDenied
    search, ids = search_of(request.GET), ids_of(request.GET)
    condition = None if ids else search.condition()
    form = GatherForm(request.POST or None, initial={"how": "condition"})
    if condition is None:
        del form.fields["how"]
    if form.is_valid() and (segment := _made(form, search, ids, condition)):
        audit.note(Actor.of_user(request.user), "segment", segment=segment.slug, changed=["people"])
        return redirect(reverse("admin:events_segment_change", args=[segment.pk]))
    more = {
        "title": "Make a segment of these people",
        "form": form,
        "words": search.words(),
        "chosen": len(ids),
        "some": some_of(search, ids),
        "back": reverse("admin:events_profile_changelist") + ("" if ids else f"?{request.GET.urlencode()}"),
    }
    return TemplateResponse(request, "admin/events/segments/gather.html", {**context, **more})


def some_of(search: Search, ids: list[int]) -> list[Profile] | None:
    """Return a few of those who are meant; None where to find them takes too long."""
    found = Profile.objects.filter(pk__in=ids) if ids else search.people(Profile.objects.all())
    try:
        with patience.at_most(SECONDS):
            return list(found.order_by("-pk")[:SHOWN])
    except patience.TooLong:
        return None


def _made(form: GatherForm, search: Search, ids: list[int], condition: dict[str, Any] | None) -> Segment | None:
    """Make the segment; None, with the mistake at the field, when somebody was faster to take the name."""
    name = form.cleaned_data["name"]
    segment = Segment(name=name, slug=_free_slug(name))
    by_condition = form.cleaned_data.get("how") == "condition"
    try:
        _make(segment, search, ids, condition if by_condition else None)
    except IntegrityError:
        form.add_error("name", TAKEN)
        return None
    return segment


@transaction.atomic
def _make(segment: Segment, search: Search, ids: list[int], condition: dict[str, Any] | None) -> None:
    if condition is not None:
        references.hold()
        segment.condition = condition
        keeping.store(segment, ["condition"])
        return
    segment.kind = Segment.Kind.MANUAL
    if ids:
        segment.save()
        gathering.put_in(segment, ids)
    else:
        gathering.begin(segment, search)


def search_of(said: QueryDict) -> Search:
    """Return what an address of the list of people asks for; what is no filter of it counts for nothing."""
    key, test = said.get(SEGMENT, ""), said.get(TEST, "")
    known = Segment.objects.filter(pk=int(key)) if key.isascii() and key.isdigit() and len(key) < 19 else None
    slug = known.values_list("slug", flat=True).first() if known is not None else None
    return Search(said.get("q", "").replace("\0", "")[:200], slug or "", {"1": True, "0": False}.get(test))


def ids_of(said: QueryDict) -> list[int]:
    """Return the people who were chosen on the list of people; none where all are meant who were found."""
    found = [int(key) for key in said.get(IDS, "").split(",") if key.isascii() and key.isdigit() and len(key) < 19]
    return found[:MAX_IDS]


def _free_slug(name: str) -> str:
    """Return a short name that no segment has yet."""
    base = slugify(name)[:50].strip("-_").replace("_", "-") or "people"
    taken = set(Segment.objects.filter(slug__startswith=base).values_list("slug", flat=True))
    candidates = [base, *(f"{base}-{number}" for number in range(2, len(taken) + 2))]
    return next(slug for slug in candidates if slug not in taken)
