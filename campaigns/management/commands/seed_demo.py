"""Fill the demo in."""

from __future__ import annotations

import os
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from campaigns.demo.seed import Secrets, seed


class Command(BaseCommand):
    help = "Make the demo's log-in, keys, mails, campaigns and people, unless they are there."

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            secrets = Secrets.of(os.environ)
        except KeyError as missing:
            raise CommandError(f"{missing.args[0]} is not set in the environment.") from missing
        seed(secrets)
