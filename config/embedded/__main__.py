"""`python -m config.embedded demo` and `python -m config.embedded services [-- COMMAND …]`."""

import argparse
import os
import signal
import subprocess
import sys
from collections.abc import Sequence

from config.embedded import demo
from config.embedded.console import say
from config.embedded.launch import die_with_parent
from config.embedded.services import throwaway_services
from config.embedded.supervisor import EmbeddedError


def main(arguments: Sequence[str]) -> int:
    options = _parser().parse_args(arguments)
    if options.what == "demo":
        if options.tied:
            die_with_parent(signal.SIGTERM, os.getppid())
        return demo.run(os.environ)
    try:
        return _services(options.command)
    except EmbeddedError as error:
        say(str(error), error=True)
        return 1


def _services(command: Sequence[str]) -> int:
    """Run `command` with throw-away servers, or without one print how to reach them until Ctrl-C."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    with throwaway_services() as services:
        try:
            if command:
                return subprocess.run(command, env={**os.environ, **services.environ()}, check=False).returncode
            say("".join(f"{name}={value}\n" for name, value in services.environ().items()))
            signal.pause()
        except KeyboardInterrupt:
            return 130 if command else 0
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m config.embedded", description=__doc__)
    subparsers = parser.add_subparsers(dest="what", required=True)
    demo_parser = subparsers.add_parser("demo", help="run the whole demo; reads PORT and DATA_DIR")
    demo_parser.add_argument("--tied", action="store_true", help="stop when the starting process ends")
    services = subparsers.add_parser("services", help="run a throw-away PostgreSQL and broker")
    services.add_argument("command", nargs="*", help="what to run with DATABASE_URL and BROKER_URL set")
    return parser


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
