"""The workflow editor: one page, one form, redrawn after every button."""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cache
from typing import Any
from zoneinfo import available_timezones

from django.db import connection, transaction
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.utils import timezone
from django.utils.html import format_html_join
from django.utils.safestring import SafeString

from campaigns import metrics, publishing
from campaigns.admin import cards, compare, editor, page, upcoming
from campaigns.admin import draft as drafts
from campaigns.admin.sorts import SORTS
from campaigns.models import Campaign, CampaignVersion, Metric
from events import catalog, references, vocabulary

# People waiting are counted this far and no farther: a page must not count a big table.
WAITING_LIMIT = 10_000
SUGGESTED = 300
ADDABLE = [(name, sort.label, sort.hint) for name, sort in SORTS.items()]
SAID = {
    "add": "Step added.",
    "up": "Step moved up.",
    "down": "Step moved down.",
    "remove": "Step removed.",
    "add-path": "Path added.",
    "remove-path": "Path removed.",
    "add-exit": "Rule added.",
    "remove-exit": "Rule removed.",
}


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a sent form. ``conflict``: somebody else saved meanwhile, and nothing was stored."""

    editor: editor.Editor
    revision: str
    conflict: bool


def show(request: HttpRequest, campaign: Campaign) -> HttpResponse:
    """Show the editor (GET), or take what was typed and show it again (POST)."""
    if request.method == "POST":
        return _change(request, campaign)
    state = editor.show(campaign.draft, _choices())
    context = _context(request, campaign, state, drafts.revision(campaign.draft), set(request.GET.getlist("open")))
    return _whole(request, campaign, context)


def _change(request: HttpRequest, campaign: Campaign) -> HttpResponse:
    action = request.POST.get("action", "save")
    verb, _, argument = action.partition(":")
    outcome = _save(request, campaign, action)
    opened = set(request.POST.getlist("open")) - ({argument} if verb == "done" else set())
    context = _context(request, campaign, outcome.editor, outcome.revision, opened) | {
        "conflict": outcome.conflict,
        "said": _said(outcome, verb),
        "is_update": True,
    }
    if request.headers.get("HX-Request"):
        return page.render(
            request, "admin/campaigns/workflow_update.html", "", {**page.head(request, campaign), **context}
        )
    if outcome.conflict or outcome.editor.bad or verb == "add-path":
        return _whole(request, campaign, context)
    focus = f"?open={outcome.editor.focus}#{outcome.editor.focus}" if outcome.editor.focus else ""
    return HttpResponseRedirect(page.url("workflow", campaign) + focus)


def _whole(request: HttpRequest, campaign: Campaign, context: dict[str, Any]) -> HttpResponse:
    suggestions = {
        "events_seen": catalog.events_to_choose(SUGGESTED),
        "traits_seen": [word.value for word in vocabulary.words("trait")[:SUGGESTED]],
        "time_zones": zone_options(),
    }
    return page.render_tab(request, campaign, "workflow", {**context, **suggestions})


@transaction.atomic
def _save(request: HttpRequest, campaign: Campaign, action: str) -> Outcome:
    """Store what was typed, unless the draft has changed since the page was made. Locks the campaign."""
    references.hold()
    held = Campaign.objects.select_for_update().get(pk=campaign.pk)
    current = drafts.revision(held.draft)
    conflict = request.POST.get("revision") != current and action != "overwrite"
    base = held.draft
    if conflict or action == "overwrite":
        base = _base(request, held.draft)
    templates = _choices()
    state = editor.read(base, request.POST, templates)
    editor.act(state, action, _taken(held), templates)
    if conflict:
        return Outcome(state, current, conflict)
    if state.draft != held.draft:
        held.draft = state.draft
        held.save(update_fields=["draft", "updated_at"])
    campaign.draft = held.draft
    return Outcome(state, drafts.revision(held.draft), conflict)


def _base(request: HttpRequest, stored: Any) -> Any:
    """Return the draft the sender saw: after a conflict the page goes on with it."""
    try:
        found = json.loads(request.POST.get("base", ""))
    except (ValueError, RecursionError):
        return stored
    return found if isinstance(found, dict) else stored


def _taken(campaign: Campaign) -> set[str]:
    """Return the step ids of all published versions: figures and journeys keep them for ever."""
    definitions = CampaignVersion.objects.filter(campaign=campaign).values_list("definition", flat=True)
    return {str(step["id"]) for definition in definitions for step in compare.steps(definition)}


def _said(outcome: Outcome, verb: str) -> str:
    if outcome.conflict:
        return "Not saved: somebody else has changed this workflow."
    if outcome.editor.bad:
        return "Saved, except for what is marked."
    return SAID.get(verb, "Saved.")


def _context(
    request: HttpRequest, campaign: Campaign, state: editor.Editor, revision: str, opened: set[str]
) -> dict[str, Any]:
    names = page.template_names()
    # Not saved here: the page and its problems speak of what is on the screen, also after a conflict.
    campaign.draft = state.draft
    return {
        "board": cards.lay_out(state, publishing.problems(campaign), names, opened, figures(campaign)),
        "base": json.dumps(state.draft),
        "revision": revision,
        "addable": ADDABLE,
        "editable": request.user.has_perm(page.CHANGE),
        "editor_url": page.url("workflow", campaign),
        "no_templates": not names,
        "upcoming": upcoming.say(campaign, state.draft, timezone.now()),
    }


def _choices() -> list[tuple[str, str]]:
    return [(str(pk), name) for pk, name in page.template_names().items()]


@cache
def zone_options() -> SafeString:
    """Return every time zone as an option: some hundreds, so they are written once."""
    return format_html_join("", '<option value="{}"></option>', ((name,) for name in sorted(available_timezones())))


def figures(campaign: Campaign) -> dict[str, cards.Figures] | None:
    """Return what happened at each step of the live version, None for a campaign that was never live."""
    if campaign.live_version is None:
        return None
    totals = metrics.totals(campaign, campaign.live_version)
    waiting, capped = waiting_now(campaign)
    found = {}
    for step in compare.steps(campaign.live_version.definition):
        step_id = str(step["id"])
        counts = totals.get(step_id, {})
        found[step_id] = cards.Figures(
            reached=counts.get(Metric.VISITED, 0),
            waiting=f"{waiting.get(step_id, 0):,}{'+' if capped else ''}",
            sent=counts.get(Metric.SENT, 0),
            opened=counts.get(Metric.OPENED, 0),
            clicked=counts.get(Metric.CLICKED, 0),
        )
    return found


# Grouped in the database: ten thousand rows are slow to fetch.
WAITING = """
SELECT step_id, count(*)
FROM (SELECT step_id FROM campaigns_journey
      WHERE campaign_id = %s AND state = 'waiting' AND NOT is_test ORDER BY id DESC LIMIT %s) AS newest
GROUP BY step_id
"""


def waiting_now(campaign: Campaign) -> tuple[dict[str, int], bool]:
    """Count who waits at each step, in the newest 10,000 journeys under way; say whether there may be more.

    Test people are left out, as in every figure.
    """
    with connection.cursor() as cursor:
        cursor.execute(WAITING, [campaign.pk, WAITING_LIMIT])
        counts = dict(cursor.fetchall())
    return counts, sum(counts.values()) >= WAITING_LIMIT
