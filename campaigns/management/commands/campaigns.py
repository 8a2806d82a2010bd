"""Campaigns as code: ``export`` them to files, ``plan`` what applying files changes, ``apply`` them."""

from __future__ import annotations

import sys
from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from campaigns.code import applying
from campaigns.code.kinds import Mistake

CHANGES, REFUSED = 2, 1


class Command(BaseCommand):
    """Exit codes: 0 done, or nothing to do; 1 refused; 2 (plan) there is something to do."""

    help = "Campaigns, templates, layouts, topics and segments as YAML files: see docs/campaigns-as-code.md."

    def add_arguments(self, parser: ArgumentParser) -> None:
        acts = parser.add_subparsers(dest="act", required=True)
        export = acts.add_parser("export", help="write files")
        export.add_argument("folder", type=Path)
        export.add_argument(
            "--campaign", action="append", default=[], metavar="SLUG", help="only this, and what it uses"
        )
        for name, words in (("plan", "say what applying changes"), ("apply", "apply files, all or nothing")):
            act = acts.add_parser(name, help=words)
            act.add_argument("folder", type=Path)
            act.add_argument("--force", action="store_true", help="overwrite what somebody else has changed")
            if name == "apply":
                act.add_argument(
                    "--publish", metavar="REASON", default="", help="publish what differs from what is live"
                )

    def handle(self, *args: Any, **options: Any) -> None:
        folder: Path = options["folder"]
        if options["act"] == "export":
            self._export(folder, options["campaign"])
            return
        if not folder.is_dir():
            raise CommandError(f"{folder} is no folder: export one first.")
        given = applying.read(folder)
        if options["act"] == "plan":
            items = applying.plan(given, force=options["force"])
        else:
            items = applying.apply(given, force=options["force"], reason=options["publish"])
        for line in applying.told(items, done=options["act"] == "apply"):
            self.stdout.write(line)
        if applying.is_refused(items):
            sys.exit(REFUSED)
        if options["act"] == "plan" and any(item.sign != applying.SAME for item in items):
            sys.exit(CHANGES)

    def _export(self, folder: Path, slugs: list[str]) -> None:
        try:
            files = applying.export(slugs)
        except Mistake as mistake:
            raise CommandError(mistake.message) from None
        for path, text in files.items():
            target = folder / path
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_text(text, encoding="utf-8")
        self.stdout.write(f"{len(files)} files in {folder}.")
