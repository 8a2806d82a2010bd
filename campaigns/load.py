"""Fill a database with a busy installation's past: for looking at every page under load, never for production.

Everything is written by a few big statements and fits together: each journey has the event that started it, its
visits, its message with delivery events and ``Email …`` events, and all of it stands in the rolled-up figures.
Nothing is left to be done by workers: no event is pending, no timer runs out within a month.

The temporary tables ``load_person (n, id)``, ``load_campaign`` and ``load_run`` (one row a journey) lead the way.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from django.db import connection, transaction
from django.utils import timezone

from campaigns import load_log, publishing
from campaigns.models import Campaign, Metric
from events import partitions
from events.models import Identity, Source
from messaging.models import Layout, Provider, Template

DAYS = 90
# So many campaigns have sent their mails; one more is slow and keeps everybody waiting.
SENDING = 5
SLOW_DAYS = 120
BODIES = 2_000
REQUESTS = 5_000
MARK = "load-1"
FILLED = (
    "events_profile",
    "events_identity",
    "events_event",
    "events_eventcount",
    "events_inboundrequest",
    "messaging_message",
    "messaging_messagebody",
    "messaging_deliveryevent",
    "messaging_suppression",
    "messaging_unsubscription",
    "campaigns_journey",
    "campaigns_visit",
    "campaigns_decision",
    "campaigns_stepcount",
)


class AlreadyLoaded(Exception):
    """Raised when the database holds a load from before."""


@dataclass(frozen=True, slots=True)
class Size:
    """How many of each there shall be; events are at least as many as journeys and mails report."""

    profiles: int
    events: int
    messages: int


def load(size: Size) -> Iterator[str]:
    """Write everything in one transaction; yields a word after each part. Raises AlreadyLoaded."""
    if Identity.objects.filter(kind=Identity.Kind.USER, value=MARK).exists():
        raise AlreadyLoaded
    today = timezone.now().date()
    partitions.ensure(today, back=DAYS // 28 + 1, ahead=1)
    with transaction.atomic():
        parameters = {
            "profiles": size.profiles,
            "events": size.events,
            "runs": size.messages * (SENDING + 1) // SENDING,
            "campaigns": SENDING + 1,
            "days": DAYS,
            "slow_days": SLOW_DAYS,
            "bodies": BODIES,
            "requests": REQUESTS,
            "source": Source.objects.create(name="Load", site_id="load").pk,
            "provider": _provider().pk,
        }
        _campaigns()
        for name, statements in BEFORE:
            _run(statements, parameters)
            yield name
        yield from load_log.write(size.events, parameters)
        for name, statements in AFTER:
            _run(statements, parameters)
            yield name
    with connection.cursor() as cursor:
        cursor.execute(f"ANALYZE {', '.join(FILLED)}")
    yield "statistics"


def _run(statements: tuple[str, ...], parameters: dict[str, Any]) -> None:
    with connection.cursor() as cursor:
        for statement in statements:
            cursor.execute(statement, parameters)


def _provider() -> Provider:
    provider = Provider.objects.filter(is_default=True).first()
    return provider or Provider.objects.create(
        name="Load mailbox", kind=Provider.Kind.MAILBOX, from_email="Load <load@load.example>", is_default=True
    )


def _campaigns() -> None:
    """Publish the campaigns and note them, numbered from 0; the last is the slow one."""
    layout = Layout.objects.create(name="Load", html="<div>{{ content }}</div>")
    rows = []
    for number in range(SENDING + 1):
        slow = number == SENDING
        template = Template.objects.create(
            name=f"Load {number}",
            layout=layout,
            subject="Hello {{ customer.first_name }}",
            html="<p>Hello {{ customer.first_name }}, about {{ trigger.item }}.</p>",
        )
        campaign = Campaign.objects.create(
            name=f"Load {'slow' if slow else number}",
            slug=f"load-{number}",
            draft=_draft(f"Load Trigger {number}", SLOW_DAYS * 86400 if slow else 3600, template.pk),
        )
        version = publishing.publish(campaign, None, "Made to be looked at under load.")
        version.live_periods.update(started_at=timezone.now() - timedelta(days=DAYS + 1))
        frozen = version.definition["steps"][1]["template_version"]
        rows.append((number, campaign.pk, version.pk, frozen, campaign.name, f"Load Trigger {number}"))
    with connection.cursor() as cursor:
        cursor.execute(
            "CREATE TEMP TABLE load_campaign (n int, campaign_id bigint, version_id bigint, template_version_id bigint,"
            " name text, trigger text) ON COMMIT DROP"
        )
        cursor.executemany("INSERT INTO load_campaign VALUES (%s, %s, %s, %s, %s, %s)", rows)


def _draft(event: str, seconds: int, template: int) -> dict[str, Any]:
    return {
        "trigger": {"event": event, "where": None},
        "reentry": {"rule": "always", "hours": 24},
        "steps": [
            {"id": "wait", "kind": "delay", "name": "Wait", "seconds": seconds},
            {"id": "mail", "kind": "send", "name": "Mail", "template": template},
        ],
        "goal": {"event": "Order Completed", "where": None, "hours": 168},
        "time_zone": "UTC",
        "speed": 1,
    }


PEOPLE = (
    "SELECT setseed(0.42)",
    """
    INSERT INTO events_profile (user_id, traits, email, phone, time_zone, language, created_at, updated_at,
        last_seen_at)
    SELECT 'load-' || g,
           jsonb_build_object('first_name', first, 'last_name', 'Load', 'email', lower(first) || g || '@load.example',
                              'plan', (ARRAY['starter', 'pro', 'team'])[1 + g %% 3], 'seats', g %% 40),
           lower(first) || g || '@load.example', '',
           (ARRAY['Europe/Vienna', 'America/New_York', 'Asia/Tokyo', ''])[1 + g %% 4], 'en',
           now() - make_interval(days => %(days)s), now(), now() - random() * make_interval(days => %(days)s)
    FROM (SELECT g, (ARRAY['Ada', 'Ben', 'Cleo', 'Dan', 'Eva', 'Finn', 'Gia', 'Hugo', 'Ina', 'Jon'])[1 + g %% 10]
              AS first
          FROM generate_series(1, %(profiles)s) AS g) AS made
    """,
    """
    CREATE TEMP TABLE load_person ON COMMIT DROP AS
    SELECT row_number() OVER (ORDER BY id) AS n, id FROM events_profile WHERE user_id LIKE 'load-%%'
    """,
    "INSERT INTO events_identity (kind, value, profile_id) SELECT 'user', 'load-' || n, id FROM load_person",
    """
    INSERT INTO events_identity (kind, value, profile_id)
    SELECT 'anonymous', 'load-visitor-' || n, id FROM load_person WHERE n %% 2 = 0
    """,
    "ANALYZE load_person",
)

# Entered in the order of their numbers, so that ids rise with time as in life. Who waits, waits once a campaign;
# every 23rd person has unsubscribed, the first mail to every 37th bounces and the later ones are not sent.
RUNS = (
    """
    CREATE TEMP TABLE load_run ON COMMIT DROP AS
    SELECT planned.*, nextval('events_event_id_seq') AS event_id,
           nextval(pg_get_serial_sequence('campaigns_journey', 'id')) AS journey_id,
           CASE WHEN slow THEN NULL ELSE nextval(pg_get_serial_sequence('messaging_message', 'id')) END AS message_id,
           CASE WHEN slow THEN NULL ELSE gen_random_uuid() END AS public_id,
           CASE WHEN slow THEN '' WHEN person %% 23 = 0 THEN 'skipped'
                WHEN person %% 37 = 0 THEN CASE WHEN nth = 1 THEN 'bounced' ELSE 'skipped' END
                WHEN dice < 0.25 THEN 'opened' WHEN dice < 0.37 THEN 'clicked' WHEN dice < 0.38 THEN 'failed'
                WHEN dice < 0.50 THEN 'sent' ELSE 'delivered' END AS status
    FROM (
        SELECT g AS n, c.campaign_id, c.version_id, c.template_version_id, c.name, c.trigger,
               p.id AS profile_id, p.n AS person, random() AS dice, c.n = %(campaigns)s - 1 AS slow,
               row_number() OVER (PARTITION BY p.id, c.n = %(campaigns)s - 1 ORDER BY g) AS nth,
               random() < 0.08 AND c.n < %(campaigns)s - 1 AS converted,
               now() - make_interval(hours => 3)
                     - make_interval(secs => (1 - g::float / %(runs)s) * 86400 * (%(days)s - 1)) AS entered_at
        FROM generate_series(1, %(runs)s) AS g
        JOIN load_campaign c ON c.n = g %% %(campaigns)s
        JOIN load_person p ON p.n = 1 + (g / %(campaigns)s) %% %(profiles)s
        WHERE c.n < %(campaigns)s - 1 OR g / %(campaigns)s < %(profiles)s
        ORDER BY g
    ) AS planned
    """,
    """
    CREATE TEMP TABLE load_report ON COMMIT DROP AS
    SELECT r.*, kind.type, kind.event, r.entered_at + interval '1 hour' + kind.later AS at
    FROM load_run r
    JOIN (VALUES
        ('sent', 'Email Sent', interval '0', ARRAY['sent', 'delivered', 'opened', 'clicked', 'bounced']),
        ('delivered', 'Email Delivered', interval '20 seconds', ARRAY['delivered', 'opened', 'clicked']),
        ('opened', 'Email Opened', interval '35 minutes', ARRAY['opened', 'clicked']),
        ('clicked', 'Email Clicked', interval '36 minutes', ARRAY['clicked']),
        ('bounced', 'Email Bounced', interval '30 seconds', ARRAY['bounced']),
        ('skipped', 'Email Skipped', interval '0', ARRAY['skipped']),
        ('failed', 'Email Failed', interval '0', ARRAY['failed'])
    ) AS kind (type, event, later, statuses) ON r.status = ANY (kind.statuses)
    """,
    "ANALYZE load_run",
    "ANALYZE load_report",
)

MESSAGES = (
    """
    INSERT INTO messaging_message (id, public_id, key, profile_id, template_version_id, purpose, channel, provider_id,
        variables, status, reason, detail, due_at, attempts, address, subject, provider_message_id, created_at,
        updated_at, sent_at)
    SELECT r.message_id, r.public_id, 'journey:' || r.journey_id || ':mail:2', r.profile_id, r.template_version_id,
           'marketing', 'email', %(provider)s,
           jsonb_build_object('trigger', jsonb_build_object('item', 'thing ' || r.n %% 50, 'amount', r.n %% 200),
                              'journey', jsonb_build_object('id', r.journey_id, 'trigger_name', r.trigger),
                              'campaign', jsonb_build_object('id', r.campaign_id, 'name', r.name)),
           r.status,
           CASE WHEN r.status = 'failed' THEN 'template_error' WHEN r.status <> 'skipped' THEN ''
                WHEN r.person %% 23 = 0 THEN 'unsubscribed' ELSE 'suppressed' END,
           CASE r.status WHEN 'bounced' THEN '550 5.1.1 no such mailbox' ELSE '' END,
           r.entered_at + interval '1 hour', CASE WHEN r.status IN ('skipped', 'failed') THEN 0 ELSE 1 END, p.email,
           'Hello ' || (p.traits ->> 'first_name'),
           CASE WHEN r.status IN ('skipped', 'failed') THEN '' ELSE 'load-' || r.message_id END,
           r.entered_at + interval '1 hour', r.entered_at + interval '1 hour',
           CASE WHEN r.status IN ('skipped', 'failed') THEN NULL ELSE r.entered_at + interval '1 hour' END
    FROM load_run r JOIN events_profile p ON p.id = r.profile_id
    WHERE r.message_id IS NOT NULL ORDER BY r.n
    """,
    """
    INSERT INTO messaging_messagebody (message_id, from_email, reply_to, html, text, headers)
    SELECT id, 'Load <load@load.example>', '', '<p>' || subject || '</p>', subject, '{}'
    FROM messaging_message WHERE sent_at IS NOT NULL AND provider_message_id LIKE 'load-%%'
    ORDER BY id DESC LIMIT %(bodies)s
    """,
    """
    INSERT INTO messaging_deliveryevent (message_id, type, event_key, timestamp, received_at, reason, description,
        mta_response, url, user_agent, raw)
    SELECT message_id, type, 'load:' || message_id || ':' || type, at, at,
           CASE type WHEN 'bounced' THEN 'bounced' ELSE '' END, '',
           CASE type WHEN 'bounced' THEN '550 5.1.1 no such mailbox' ELSE '' END,
           CASE type WHEN 'clicked' THEN 'https://load.example/' ELSE '' END, '', '{}'
    FROM load_report WHERE type IN ('delivered', 'opened', 'clicked', 'bounced') ORDER BY at
    """,
    """
    INSERT INTO messaging_suppression (channel, address, cause, detail, message_id, created_at)
    SELECT 'email', m.address, 'bounce', m.detail, m.id, m.created_at
    FROM messaging_message m JOIN load_run r ON r.message_id = m.id WHERE r.status = 'bounced'
    ON CONFLICT DO NOTHING
    """,
    """
    INSERT INTO messaging_unsubscription (profile_id, method, created_at)
    SELECT id, 'page', now() - make_interval(days => %(days)s) FROM load_person WHERE n %% 23 = 0
    """,
)

JOURNEYS = (
    """
    INSERT INTO campaigns_journey (id, campaign_id, version_id, profile_id, entry_key, state, step_id, visit_number,
        step_entered_at, due_at, trigger, trigger_name, trigger_event_id, trigger_at, entered_at, ended_at, ending,
        converted_at, error)
    SELECT journey_id, campaign_id, version_id, profile_id, 'event:' || event_id,
           CASE WHEN NOT slow THEN 'ended' WHEN n < 5 * %(campaigns)s THEN 'stuck' ELSE 'waiting' END,
           CASE WHEN slow THEN 'wait' ELSE 'mail' END, CASE WHEN slow THEN 1 ELSE 2 END,
           CASE WHEN slow THEN entered_at ELSE entered_at + interval '1 hour' END,
           CASE WHEN slow THEN entered_at + make_interval(days => %(slow_days)s) END,
           jsonb_build_object('item', 'thing ' || n %% 50, 'amount', n %% 200), trigger, event_id, entered_at,
           entered_at, CASE WHEN NOT slow THEN entered_at + interval '1 hour' END,
           CASE WHEN slow THEN '' ELSE 'completed' END,
           CASE WHEN converted THEN entered_at + interval '2 hours' END,
           CASE WHEN slow AND n < 5 * %(campaigns)s THEN 'Made stuck, to be looked at.' ELSE '' END
    FROM load_run ORDER BY n
    """,
    """
    INSERT INTO campaigns_visit (journey_id, number, step_id, entered_at, left_at, outcome, detail)
    SELECT journey_id, 1, 'wait', entered_at, CASE WHEN NOT slow THEN entered_at + interval '1 hour' END,
           CASE WHEN slow THEN '' ELSE 'waited' END, ''
    FROM load_run ORDER BY n
    """,
    """
    INSERT INTO campaigns_visit (journey_id, number, step_id, entered_at, left_at, outcome, detail, message_id)
    SELECT journey_id, 2, 'mail', entered_at + interval '1 hour', entered_at + interval '1 hour', 'sent', '', message_id
    FROM load_run WHERE NOT slow ORDER BY n
    """,
    """
    INSERT INTO campaigns_decision (campaign_id, version_id, profile_id, event_id, entry, journey_id, created_at)
    SELECT campaign_id, version_id, profile_id, event_id, 'entered', journey_id, entered_at FROM load_run ORDER BY n
    """,
)

FIGURES = (
    f"""
    INSERT INTO campaigns_stepcount (campaign_id, version_id, step_id, day, metric, count)
    SELECT campaign_id, version_id, step_id, (at AT TIME ZONE 'UTC')::date, metric, count(*)
    FROM (
        SELECT campaign_id, version_id, '' AS step_id, entered_at AS at, '{Metric.ENTERED}' AS metric FROM load_run
        UNION ALL
        SELECT campaign_id, version_id, '', entered_at + interval '1 hour', '{Metric.ENDED}' FROM load_run
        WHERE NOT slow
        UNION ALL
        SELECT campaign_id, version_id, '', entered_at + interval '2 hours', '{Metric.CONVERTED}' FROM load_run
        WHERE converted
        UNION ALL
        SELECT campaign_id, version_id, 'wait', entered_at, '{Metric.VISITED}' FROM load_run
        UNION ALL
        SELECT campaign_id, version_id, 'mail', entered_at + interval '1 hour', '{Metric.VISITED}' FROM load_run
        WHERE NOT slow
        UNION ALL
        SELECT campaign_id, version_id, 'mail', at, type FROM load_report
    ) AS happened
    GROUP BY 1, 2, 3, 4, 5
    """,
    """
    INSERT INTO events_eventcount (hour, name, count)
    SELECT date_trunc('hour', received_at), CASE type WHEN 'track' THEN name ELSE '[' || type || ']' END, count(*)
    FROM events_event WHERE profile_id IN (SELECT id FROM load_person)
    GROUP BY 1, 2 ORDER BY 1, 2
    ON CONFLICT (hour, name) DO UPDATE SET count = events_eventcount.count + excluded.count
    """,
)

CALLS = (
    """
    INSERT INTO events_inboundrequest (source_id, received_at, method, path, client, body, status, answer, accepted,
        rejected)
    SELECT CASE WHEN g %% 97 = 0 THEN NULL ELSE %(source)s END, now() - make_interval(secs => %(requests)s - g), 'POST',
           '/v1/track', 'load', '{"userId": "load-' || g || '", "event": "Product Viewed"}',
           CASE WHEN g %% 97 = 0 THEN 401 ELSE 200 END,
           CASE WHEN g %% 97 = 0 THEN '{"code": "unauthorized", "message": "The write key is not known."}'::jsonb
                ELSE '{"success": true}' END,
           CASE WHEN g %% 97 = 0 THEN 0 ELSE 1 END, CASE WHEN g %% 97 = 0 THEN 1 ELSE 0 END
    FROM generate_series(1, %(requests)s) AS g
    """,
)

Parts = tuple[tuple[str, tuple[str, ...]], ...]
BEFORE: Parts = (("people", PEOPLE), ("plans", RUNS))
AFTER: Parts = (
    ("messages", MESSAGES),
    ("journeys", JOURNEYS),
    ("figures", FIGURES),
    ("calls", CALLS),
)
