"""A world of one person beside the real one: the engine runs in it unchanged, and nothing real is touched.

Every table is shadowed by an empty temporary one of the same name, which this connection sees in its place, and what
the person and the campaign need is copied. From then on the transaction may only read, which PostgreSQL lets write to
temporary tables alone: whatever the engine does, it cannot reach a real row, and all of it is rolled back in the end.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count
from typing import Any

from django.apps import apps
from django.db import connection, transaction
from django.db.models import AutoField, Model

from campaigns import places
from campaigns.models import Campaign, Safeguards
from events.audience import prepared
from events.models import ComputedTrait, Event, Pending, Profile, Segment, Source, WatchedTrait
from messaging import lists
from messaging.models import FrequencyCap, Layout, Provider, SendingLimits, Template, Topic

ROOMS = ("events", "messaging", "campaigns")
# What holds for everybody, and is small.
WHOLE: tuple[type[Model], ...] = (
    Campaign,
    ComputedTrait,
    FrequencyCap,
    Layout,
    Provider,
    Safeguards,
    Segment,
    SendingLimits,
    Source,
    Template,
    Topic,
    WatchedTrait,
)
# Of one person so many of the newest events are known: what is older decides next to nothing, and costs.
MOST_EVENTS = 20_000
# Ids of a world are its own, so that nothing a process remembers by id is taken for something real.
FIRST, APART = 10**15, 10**7
_numbers = count(1)


@contextmanager
def of_person(campaign: Campaign, profile: Profile | None) -> Iterator[None]:
    """Run what is within in a world where ``campaign`` is new to ``profile``, or to nobody yet; then forget it all.

    Other campaigns are there and take nobody in; what the person went through in them is known.
    """
    prepared.forget()
    try:
        with transaction.atomic():
            try:
                with connection.cursor() as cursor:
                    _fill(_Shadows(cursor), campaign, profile)
                    cursor.execute("SET LOCAL transaction_read_only = on")
                yield
            finally:
                transaction.set_rollback(True)
    finally:
        prepared.forget()


class _Shadows:
    """An empty table in front of each real one, gone with the transaction."""

    def __init__(self, cursor: Any) -> None:
        self.cursor = cursor
        cursor.execute("SELECT quote_ident(current_schema())")
        self.real = cursor.fetchone()[0]
        like = "INCLUDING DEFAULTS INCLUDING IDENTITY INCLUDING GENERATED INCLUDING INDEXES"
        tables = [model._meta.db_table for model in _models()]
        cursor.execute(
            ";".join(f'CREATE TEMP TABLE "{each}" (LIKE {self.real}."{each}" {like}) ON COMMIT DROP' for each in tables)
        )
        first = FIRST + next(_numbers) * APART
        cursor.execute(f"CREATE TEMP SEQUENCE events_event_id_seq START {first}")
        counted = [model._meta.db_table for model in _models() if _counts(model)]
        cursor.execute(
            "SELECT setval(pg_get_serial_sequence('pg_temp.' || quote_ident(t), 'id'), %s::bigint)"
            " FROM unnest(%s::text[]) AS t",
            [first, counted],
        )

    def take(self, table: str, where: str = "true", *parameters: Any) -> None:
        """Copy real rows, called ``r``."""
        self.cursor.execute(
            f'INSERT INTO pg_temp."{table}" SELECT r.* FROM {self.real}."{table}" r WHERE {where}', parameters
        )


def _models() -> list[type[Model]]:
    models = [model for room in ROOMS for model in apps.get_app_config(room).get_models(include_auto_created=True)]
    return [model for model in models if model._meta.managed]


def _counts(model: type[Model]) -> bool:
    return isinstance(model._meta.pk, AutoField) and model is not Event


def _fill(shadows: _Shadows, campaign: Campaign, profile: Profile | None) -> None:
    for model in WHOLE:
        shadows.take(model._meta.db_table)
    shadows.take("campaigns_admission", "campaign_id = %s", campaign.pk)
    shadows.take("campaigns_campaignversion", "campaign_id = %s", campaign.pk)
    frozen = _frozen(campaign)
    if profile is None:
        shadows.take("messaging_templateversion", "id = ANY(%s)", frozen)
        return
    _fill_person(shadows, campaign, profile)
    sent = "SELECT template_version_id FROM pg_temp.messaging_message"
    shadows.take("messaging_templateversion", f"id = ANY(%s) OR id IN ({sent})", frozen)


def _fill_person(shadows: _Shadows, campaign: Campaign, profile: Profile) -> None:
    """Copy all rows that are about the person, but for what the campaign itself made of them."""
    shadows.take("events_profile", "id = %s", profile.pk)
    for model in _models():
        leads_to = {field.related_model for field in model._meta.concrete_fields}
        if Profile not in leads_to or model is Pending:
            continue
        where, parameters = "profile_id = %s", [profile.pk]
        if Campaign in leads_to:
            where, parameters = f"{where} AND campaign_id <> %s", [*parameters, campaign.pk]
        if model is Event:
            newest = f"SELECT id FROM {shadows.real}.events_event WHERE profile_id = %s ORDER BY id DESC LIMIT %s"
            where, parameters = f"{where} AND id IN ({newest})", [*parameters, profile.pk, MOST_EVENTS]
        shadows.take(model._meta.db_table, where, *parameters)
    shadows.take("events_group", "id IN (SELECT group_id FROM pg_temp.events_membership)")
    shadows.take("campaigns_visit", "journey_id IN (SELECT id FROM pg_temp.campaigns_journey)")
    shadows.take("messaging_suppression", "address = ANY(%s)", list(lists.forms(profile.email.lower())))


def _frozen(campaign: Campaign) -> list[int]:
    """Return the template versions that the live version sends."""
    live = campaign.live_version
    steps = [step for _, step in places.send_steps(live.definition)] if live else []
    return [step["template_version"] for step in steps]
