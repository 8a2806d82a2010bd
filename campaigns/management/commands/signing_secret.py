"""Print the secret by which receivers check that a campaign's call comes from this installation."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand

from campaigns import calling


class Command(BaseCommand):
    help = "Print the secret that campaigns' calls are signed with (Standard Webhooks)."

    def handle(self, *args: Any, **options: Any) -> None:
        self.stdout.write(calling.signing_secret())
