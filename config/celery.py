"""The Celery application and the whole beat table.

Celery carries nudges and sweeps; every piece of work is a row in PostgreSQL that tasks claim. A sweep that could not
run in time is dropped (``expires``): the next one does its work.
"""

from __future__ import annotations

import os

from celery import Celery
from celery.schedules import crontab

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")

app = Celery("cuebird")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks(["events", "messaging", "campaigns"])
app.autodiscover_tasks(["config"], related_name="health")


def every(seconds: float, task: str) -> dict[str, object]:
    """Return a beat entry that runs ``task`` each ``seconds`` and lets a late run lapse."""
    return {"task": task, "schedule": seconds, "options": {"expires": max(5.0, seconds)}}


app.conf.beat_schedule = {
    "evaluate pending events": every(1.0, "campaigns.tasks.enroll"),
    "move due journeys": every(1.0, "campaigns.tasks.run_journeys"),
    "let people in when it is time": every(1.0, "campaigns.tasks.let_in"),
    "take journeys to another version": every(5.0, "campaigns.tasks.change_versions"),
    "run backtests": every(10.0, "campaigns.tasks.run_backtests"),
    "make calls of campaigns": every(1.0, "campaigns.tasks.make_calls"),
    "send due messages": every(1.0, "messaging.tasks.deliver"),
    "settle interrupted messages": every(10.0, "messaging.tasks.recover"),
    "report to other programs": every(2.0, "messaging.tasks.report"),
    "ask providers about what is in doubt": every(60.0, "messaging.tasks.reconcile"),
    "look at sending domains": every(60.0, "messaging.tasks.check_domains"),
    "fold figures of carriers": every(60.0, "messaging.tasks.fold_carrier_counts"),
    "fold campaign figures": every(10.0, "campaigns.tasks.fold_counts"),
    "watch campaigns": every(30.0, "campaigns.tasks.watch_campaigns"),
    "fold event counts": every(10.0, "events.tasks.fold_counts"),
    "learn events and properties": every(10.0, "events.tasks.learn_catalog"),
    "check and run imports": every(5.0, "events.tasks.run_imports"),
    "let time move people between segments": every(1.0, "events.tasks.turn_segments"),
    "let time change computed traits": every(1.0, "events.tasks.turn_computed"),
    "reckon computed traits for everybody": every(5.0, "events.tasks.build_computed"),
    "build segments": every(5.0, "events.tasks.build_segments"),
    "search for traces of erased people": every(10.0, "events.tasks.search_traces"),
    "show that beat and worker live": every(5.0, "config.health.heartbeat"),
    "make partitions ahead": {"task": "events.tasks.make_partitions", "schedule": crontab(minute="17")},
    "forget old message ids and requests": {"task": "events.tasks.forget", "schedule": crontab(minute="37")},
}
