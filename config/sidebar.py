"""The admin's menu: what there is to see, in the order of use. Pages that do not exist are left out."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from django.http import HttpRequest
from django.urls import NoReverseMatch, reverse


@dataclass(frozen=True, slots=True)
class Entry:
    """One line: the page's URL name in the admin and the permission that opens it ("" = every log-in)."""

    title: str
    icon: str
    name: str
    permission: str = ""


GROUPS: tuple[tuple[str, tuple[Entry, ...]], ...] = (
    ("", (Entry("Home", "monitor_heart", "index"),)),
    (
        "Campaigns",
        (Entry("Campaigns", "route", "campaigns_campaign_changelist", "campaigns.view_campaign"),),
    ),
    (
        "People",
        (
            Entry("Profiles", "person", "events_profile_changelist", "events.view_profile"),
            Entry("Segments", "group_work", "events_segment_changelist", "events.view_segment"),
            Entry("Computed traits", "functions", "events_computedtrait_changelist", "events.view_computedtrait"),
            Entry("Companies", "apartment", "events_group_changelist", "events.view_group"),
            Entry("Topics", "topic", "messaging_topic_changelist", "messaging.view_topic"),
            Entry(
                "Unsubscribed",
                "unsubscribe",
                "messaging_unsubscription_changelist",
                "messaging.view_unsubscription",
            ),
            Entry("Suppressed addresses", "block", "messaging_suppression_changelist", "messaging.view_suppression"),
            Entry("Ignored ids", "person_off", "events_profile_ignored", "events.erase_profile"),
        ),
    ),
    (
        "Messages",
        (
            Entry("Messages", "outgoing_mail", "messaging_message_changelist", "messaging.view_message"),
            Entry("Mailbox", "inbox", "messaging_mailbox", "messaging.view_message"),
            Entry("Templates", "draft", "messaging_template_changelist", "messaging.view_template"),
            Entry("Layouts", "web_asset", "messaging_layout_changelist", "messaging.view_layout"),
            Entry("Snippets", "extension", "messaging_snippet_changelist", "messaging.view_snippet"),
            Entry("Feeds", "rss_feed", "messaging_feed_changelist", "messaging.view_feed"),
            Entry("Sending limits", "speed", "messaging_sendinglimits_changelist", "messaging.view_sendinglimits"),
            Entry("Frequency caps", "avg_pace", "messaging_frequencycap_changelist", "messaging.view_frequencycap"),
            Entry(
                "Deliverability",
                "mark_email_read",
                "messaging_sendingdomain_changelist",
                "messaging.view_sendingdomain",
            ),
            Entry("Public pages", "web", "messaging_publicpages_changelist", "messaging.view_publicpages"),
            Entry("Providers", "send", "messaging_provider_changelist", "messaging.view_provider"),
            Entry(
                "Reporting webhooks", "webhook", "messaging_reportendpoint_changelist", "messaging.view_reportendpoint"
            ),
        ),
    ),
    (
        "Data",
        (
            Entry("Live events", "bolt", "events_event_changelist", "events.view_event"),
            Entry("Tracking plan", "fact_check", "events_eventdefinition_changelist", "events.view_eventdefinition"),
            Entry("Violations", "rule", "events_violation_changelist", "events.view_violation"),
            Entry("Parked events", "report", "events_pending_changelist", "events.view_pending"),
            Entry("Parked by campaigns", "running_with_errors", "campaigns_parked_changelist", "campaigns.view_parked"),
            Entry("Calls of campaigns", "webhook", "campaigns_call_changelist", "campaigns.view_call"),
            Entry("Import and export", "swap_vert", "events_import_changelist", "events.view_import"),
            Entry("Sources", "sensors", "events_source_changelist", "events.view_source"),
            Entry("API tokens", "key", "events_apitoken_changelist", "events.view_apitoken"),
        ),
    ),
    (
        "System",
        (
            Entry("Findings", "troubleshoot", "campaigns_finding_changelist", "campaigns.view_finding"),
            Entry("Safeguards", "shield", "campaigns_safeguards_changelist", "campaigns.view_safeguards"),
            Entry("Users", "manage_accounts", "auth_user_changelist", "auth.view_user"),
            Entry("Groups", "groups", "auth_group_changelist", "auth.view_group"),
            Entry("How long things are kept", "auto_delete", "events_keepfor_changelist", "events.view_keepfor"),
            Entry("Audit log", "history", "events_auditentry_changelist", "events.view_auditentry"),
            Entry(
                "Periodic tasks",
                "schedule",
                "django_celery_beat_periodictask_changelist",
                "django_celery_beat.view_periodictask",
            ),
        ),
    ),
)


def navigation(request: HttpRequest) -> list[dict[str, Any]]:
    """Return Unfold's groups with the pages this user may open; the one they are on is active."""
    groups = [(title, [item for entry in entries if (item := _item(request, entry))]) for title, entries in GROUPS]
    # Pages may lie below each other in the address: the closest one counts.
    here = [item for _, items in groups for item in items if request.path.startswith(item["link"])]
    if here:
        closest = max(here, key=lambda item: len(item["link"]))
        closest["active"] = closest["link"] != _home() or request.path == _home()
    return [{"title": title, "items": items} for title, items in groups if items]


def _home() -> str:
    return reverse("admin:index")


def _item(request: HttpRequest, entry: Entry) -> dict[str, Any] | None:
    try:
        link = reverse(f"admin:{entry.name}")
    except NoReverseMatch:
        return None
    if entry.permission and not request.user.has_perm(entry.permission):
        return None
    return {"title": entry.title, "icon": entry.icon, "link": link, "active": False}
