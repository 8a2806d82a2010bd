"""Bring the database up to date and fill in the demo: one process, so that Django is loaded once."""

import django
from django.core.management import call_command


def main() -> None:
    django.setup()
    call_command("migrate", verbosity=0, interactive=False)
    call_command("seed_demo")


if __name__ == "__main__":
    main()
