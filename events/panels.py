"""Let the rooms on the left add to pages of this one: a person's messages and journeys, what an event triggered.

In ``AppConfig.ready`` of the other room::

    from events import panels
    panels.register(panels.PROFILE, "Journeys", journeys_panel)

    def journeys_panel(profile: Profile, request: HttpRequest) -> panels.Content | None:
        return panels.Content("admin/campaigns/profile_journeys.html", {"journeys": ...}, link="/admin/…")

What else can be done with people who are chosen, or found, on the list of people is an ``Act``.

``PROFILE`` panels and ``BADGES`` (a word or two beside the person's name, ``<span class="cb-badge">``) get a Profile,
``EVENT`` panels an Event, ``DEFINITION`` panels the EventDefinition of a name in the tracking plan. None leaves the
panel out. The template is a fragment without card or heading, as narrow as 360 px; it sees the content's context,
``request`` and ``subject``. Keep to a handful of statements that do not grow with history: a page shows every panel.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from django.http import HttpRequest
from django.template.loader import render_to_string

PROFILE = "profile"
BADGES = "badges"
EVENT = "event"
DEFINITION = "definition"


@dataclass(frozen=True, slots=True)
class Content:
    """What a panel shows. ``link`` leads to the full page, if there is one."""

    template: str
    context: Mapping[str, Any] = field(default_factory=dict)
    link: str = ""


@dataclass(frozen=True, slots=True)
class Panel:
    """A rendered panel."""

    title: str
    html: str
    link: str


@dataclass(frozen=True, slots=True)
class Act:
    """Something to do with people on the list of people, on a page of its own: ``url_name`` is its address.

    It is asked with ``?ids=1,2,3`` for those who are chosen, else with what the list was searched for; see
    ``events.admin.gather``. Who lacks one of the ``permissions`` is not offered it.
    """

    name: str
    label: str
    url_name: str
    permissions: Sequence[str]


Build = Callable[[Any, HttpRequest], Content | None]

_acts: dict[str, Act] = {}
_builders: dict[str, dict[str, Build]] = {PROFILE: {}, BADGES: {}, EVENT: {}, DEFINITION: {}}


def register(place: str, title: str, build: Build) -> None:
    """Show what ``build`` returns on every page of ``place``. A title is taken once; the last one counts."""
    _builders[place][title] = build


def register_act(act: Act) -> None:
    """Offer ``act`` on the list of people."""
    _acts[act.name] = act


def acts(request: HttpRequest) -> list[Act]:
    """Return what somebody may do with people on their list."""
    return [act for act in _acts.values() if request.user.has_perms(act.permissions)]


def shown(place: str, subject: Any, request: HttpRequest) -> list[Panel]:
    """Render the panels for ``subject`` in the order of registration."""
    built = ((title, build(subject, request)) for title, build in _builders[place].items())
    return [
        Panel(title, render_to_string(found.template, {**found.context, "subject": subject}, request), found.link)
        for title, found in built
        if found is not None
    ]
