"""The page that makes a campaign from a starter: its name, and which events mean what it needs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db import IntegrityError, transaction
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse

from campaigns import starters, starting
from campaigns.admin import naming, page
from campaigns.models import Campaign
from campaigns.starters import Slot, Starter
from events import audit, catalog
from events.audit import Actor

DAYS = 30
MAX_EVENTS = 500
TAKEN = "There is a campaign of this name already."
SAME = "This event is chosen above for something else. Choose another."
RACED = "Somebody made the like at this moment. Make it once more, or choose another name."


class StartForm(forms.Form):
    """The campaign's name, and for each event that the starter needs, this installation's."""

    name = forms.CharField(max_length=120, error_messages={"required": "Give the campaign a name."})

    def __init__(self, starter: Starter, said: Mapping[str, Any] | None = None) -> None:
        self.starter = starter
        super().__init__(said, initial={"name": starting.unused(Campaign, "name", starter.name)})
        seen, known = catalog.volumes(DAYS), catalog.events_to_choose(MAX_EVENTS)
        self.slots = [(slot, _key(place), _note(slot, seen, known)) for place, slot in enumerate(starter.slots)]
        for slot, key, _ in self.slots:
            self.fields[key] = forms.ChoiceField(
                choices=[(name, _option(name, seen)) for name in dict.fromkeys([slot.usual, *known])],
                initial=starting.guess(slot, known) or slot.usual,
                label=f"The event when {slot.means}",
                error_messages={"invalid_choice": "Choose one of the events in the list."},
                widget=forms.Select(attrs={"aria-describedby": f"{key}-note"}),
            )

    @property
    def events(self) -> list[tuple[forms.BoundField, str, bool]]:
        """Return the choices of events, each with what is said of the usual name, and whether that has been seen."""
        return [(self[key], *note) for _, key, note in self.slots]

    @property
    def names(self) -> dict[str, str]:
        """Return the chosen events by the usual names, of a valid form."""
        return {slot.usual: self.cleaned_data[key] for slot, key, _ in self.slots}

    def clean_name(self) -> str:
        name = str(self.cleaned_data["name"])
        if Campaign.objects.filter(name=name).exists():
            raise forms.ValidationError(TAKEN)
        return name

    def clean(self) -> dict[str, Any]:
        """Refuse an event that is to mean two things: what it starts by cannot be its goal as well."""
        found: dict[str, Any] = super().clean() or {}
        taken: set[str] = set()
        for _, key, _ in self.slots:
            name = found.get(key)
            if name in taken:
                self.add_error(key, SAME)
            elif name:
                taken.add(name)
        return found

    def store(self) -> Campaign | None:
        """Make the campaign; None, with the mistake at the field, when somebody was faster to take a name."""
        name = self.cleaned_data["name"]
        try:
            with transaction.atomic():
                return starting.start(self.starter, name, naming.unused_slug(name), self.names)
        except IntegrityError:
            self.add_error("name", RACED)
            return None


def _key(place: int) -> str:
    return f"event-{place}"


def _option(name: str, seen: Mapping[str, int]) -> str:
    return f"{name} · {seen[name]:,} in {DAYS} days" if seen.get(name) else f"{name} · not seen in {DAYS} days"


def _note(slot: Slot, seen: Mapping[str, int], known: list[str]) -> tuple[str, bool]:
    """Say whether the usual name is there, and where it is not, which is nearest to it."""
    if count := seen.get(slot.usual):
        return f"“{slot.usual}” was seen {count:,} {'time' if count == 1 else 'times'} in the last {DAYS} days.", True
    text = f"“{slot.usual}” was not seen yet: choose which of your events means this."
    if near := starting.guess(slot, [name for name in known if name != slot.usual]):
        return f"{text} By its name, “{near}” is nearest.", False
    return f"{text} If it is still to come, leave the usual name.", False


def show(request: HttpRequest, slug: str) -> HttpResponse:
    """Ask for the name and the events, then make the draft and lead to its workflow."""
    starter = starters.find(slug)
    if starter is None:
        raise Http404
    if not may(request, starter):
        raise PermissionDenied
    form = StartForm(starter, request.POST if request.method == "POST" else None)
    campaign = form.store() if form.is_valid() else None
    if campaign is None:
        more = {
            "starter": starter,
            "form": form,
            "segment": starters.segment_of(starter),
            "back": reverse("admin:campaigns_campaign_add"),
        }
        return page.render(request, "admin/campaigns/start.html", f"New campaign: {starter.name}", more)
    _note_down(request, campaign, starter)
    messages.success(
        request,
        f"{campaign.name} is a draft, and nothing is sent before you publish it. Read it through, and put your own "
        "words and addresses in place of example.com in its templates.",
    )
    return HttpResponseRedirect(page.url("workflow", campaign))


def may(request: HttpRequest, starter: Starter) -> bool:
    """Say whether somebody may make all that belongs to the starter."""
    needed = ["campaigns.add_campaign", "messaging.add_template", *(["events.add_segment"] if starter.segment else [])]
    return bool(request.user.has_perms(needed))


def _note_down(request: HttpRequest, campaign: Campaign, starter: Starter) -> None:
    model_admin = admin.site.get_model_admin(Campaign)
    model_admin.log_addition(request, campaign, f"Made from “{starter.name}”.")
    if starter.segment:
        slug = campaign.draft["trigger"]["segment"]
        audit.note(Actor.of_user(request.user), "segment", segment=slug, changed=["campaign"])
