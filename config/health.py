"""Say whether every part answers: for load balancers, the embedded runner and the operator's home page."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from threading import Thread

from celery import shared_task
from django.core.cache import cache
from django.db import DatabaseError, connection
from django.http import HttpRequest, JsonResponse
from django.utils import timezone
from redis.exceptions import RedisError

from campaigns import alerts, watch

HEARTBEAT_KEY = "heartbeat"
# The beat sends one each 5 s; three missed ones in a row mean that beat or worker is gone.
STALE_SECONDS = 20


@dataclass(frozen=True, slots=True)
class Health:
    """The state of each part; ``problems`` says in words what is wrong and what to do."""

    database: bool
    broker: bool
    worker: bool

    @property
    def problems(self) -> list[str]:
        texts = {
            "database": "The database does not answer: see DATABASE_URL.",
            "broker": "The broker does not answer: messages still go out, but later. See BROKER_URL.",
            "worker": "No sign of life from worker and beat: start both, or see their logs.",
        }
        return [text for part, text in texts.items() if not getattr(self, part)]


@shared_task
def heartbeat() -> None:
    """Leave a sign of life: a beat sent this and a worker ran it."""
    cache.set(HEARTBEAT_KEY, timezone.now().isoformat(), STALE_SECONDS * 10)


def check() -> Health:
    """Ask every part once. One database statement, one look at the cache."""
    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1")
        database = True
    except DatabaseError:
        database = False
    try:
        seen = cache.get(HEARTBEAT_KEY)
        broker = True
    except (RedisError, OSError):
        seen, broker = None, False
    alive = bool(seen) and (timezone.now() - datetime.fromisoformat(seen)).total_seconds() < STALE_SECONDS
    return Health(database=database, broker=broker, worker=alive)


def _note(health: Health) -> None:
    """Note whether worker and beat live, and tell operators where they do not: nobody else is there to do so.

    In a thread of its own, as whoever asks for our health waits for no mail server.
    """
    watch.note_worker(health.worker, timezone.now())
    if not health.worker:
        Thread(target=_tell, daemon=True).start()


def _tell() -> None:
    try:
        alerts.tell()
    finally:
        connection.close()


def healthz(request: HttpRequest) -> JsonResponse:
    """Answer 200 when all is well, else 503 with the problems in words."""
    health = check()
    if health.database:
        _note(health)
    parts = {"database": health.database, "broker": health.broker, "worker": health.worker}
    return JsonResponse({**parts, "problems": health.problems}, status=503 if health.problems else 200)
