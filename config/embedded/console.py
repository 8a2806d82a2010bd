"""What a person at the terminal reads. A closed terminal must not disturb anything else."""

import sys
from contextlib import suppress

COLOURS = {"postgres": 36, "valkey": 35, "prepare": 33, "web": 32, "worker": 34, "beat": 95}
NAME_WIDTH = 8


def say(text: str, *, error: bool = False) -> None:
    stream = sys.stderr if error else sys.stdout
    with suppress(OSError, ValueError):
        print(text, file=stream, flush=True)


def say_for(name: str, line: bytes) -> None:
    """Print a child's line behind the child's name."""
    label = f"{name:<{NAME_WIDTH}} |"
    if sys.stdout.isatty():
        label = f"\x1b[{COLOURS.get(name, 37)}m{label}\x1b[0m"
    say(f"{label} {line.decode(errors='replace').rstrip()}")
