"""Fill the database with a busy past, to see every page under load."""

from __future__ import annotations

import time
from argparse import ArgumentParser
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from campaigns.load import AlreadyLoaded, Size, load


class Command(BaseCommand):
    help = "Write made-up people, events, journeys and messages of the last three months. Not for production."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--profiles", type=int, default=100_000)
        parser.add_argument("--events", type=int, default=1_000_000)
        parser.add_argument("--messages", type=int, default=200_000)
        parser.add_argument("--yes", action="store_true", help="Do it although this is neither DEBUG nor the demo.")

    def handle(self, *args: Any, **options: Any) -> None:
        if not (settings.DEBUG or settings.DEMO or options["yes"]):
            raise CommandError("This writes made-up people into the database. Repeat it with --yes if that is wanted.")
        size = Size(options["profiles"], options["events"], options["messages"])
        if min(size.profiles, size.events, size.messages) < 1:
            raise CommandError("Every number must be at least 1.")
        began = time.monotonic()
        try:
            for part in load(size):
                self.stdout.write(f"{time.monotonic() - began:7.1f} s  {part}")
        except AlreadyLoaded as error:
            raise CommandError("The database holds such a load already.") from error
