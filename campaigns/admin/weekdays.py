"""Say days of the week. Pure."""

from __future__ import annotations

from collections.abc import Sequence

DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")


def say(numbers: Sequence[int]) -> str:
    """Say days of the week (Monday = 0), runs joined: ``Mon–Fri``, ``Mon, Wed``."""
    chosen = sorted({number for number in numbers if 0 <= number < 7})
    if len(chosen) in (0, 7):
        return "every day" if chosen else "on no day"
    runs: list[list[int]] = []
    for day in chosen:
        if runs and runs[-1][-1] == day - 1:
            runs[-1].append(day)
        else:
            runs.append([day])
    return ", ".join(DAYS[run[0]] if len(run) == 1 else f"{DAYS[run[0]]}–{DAYS[run[-1]]}" for run in runs)
