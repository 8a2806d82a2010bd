"""The whole engine under measure: a PostgreSQL that waits for the disk, real processes, and a mail service beside them.

``BENCH_WORKERS`` says how many worker processes there are (1).
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass

from messaging import credentials
from messaging.models import Provider
from tests import durable, stack
from tests.benchmarks import loaded, taker
from tests.campaigns.flow import make_template

WORKERS = int(os.environ.get("BENCH_WORKERS", "1"))


@dataclass(slots=True)
class Engine:
    """What is measured. Django in this process uses the same database."""

    database: durable.DurablePostgres
    taker: taker.Taker

    @contextmanager
    def running(self, *others: str) -> Iterator[stack.Stack]:
        """Run broker, workers and beat for as long as the block lasts, and what else is named."""
        workers = ["worker", *(f"worker-{number}" for number in range(2, WORKERS + 1))]
        with stack.running("broker", *workers, "beat", *others, DATABASE_URL=self.database.url) as running:
            yield running

    def cpu_seconds(self, running: stack.Stack) -> dict[str, float]:
        """Return the processor seconds of each part so far; ``beside`` are client and mail service."""
        parts = {"PostgreSQL": stack.cpu_seconds(self.database.pid), "workers": 0.0, "web": 0.0, "beat and broker": 0.0}
        for name, process in running.processes.items():
            part = "workers" if name.startswith("worker") else "web" if name == "web" else "beat and broker"
            parts[part] += stack.cpu_seconds(process.pid)
        return parts | {"beside": time.process_time() + stack.cpu_seconds(self.taker.pid)}


@contextmanager
def started(milliseconds: int = 0) -> Iterator[Engine]:
    """Make a database with a template whose mails go to the mail service, which answers after so many milliseconds."""
    with (
        durable.postgres_server() as database,
        taker.started(milliseconds) as service,
        loaded.used_by_django(database.url),
    ):
        make_template()
        provider = Provider.objects.get()
        provider.kind, provider.settings = Provider.Kind.SENDGRID, {"api_url": service.url}
        credentials.store(provider, {"api_key": "SG.bench"})
        provider.save()
        yield Engine(database, service)


def told(before: Mapping[str, float], after: Mapping[str, float], number: int) -> str:
    """Return in words what each part used for ``number`` things, in processor seconds per 1,000."""
    used = {part: (after[part] - before[part]) * 1000 / number for part in after}
    whole = sum(seconds for part, seconds in used.items() if part != "beside")
    return f"{whole:.2f} CPU-s per 1,000 (" + ", ".join(f"{part} {used[part]:.2f}" for part in used) + ")"
