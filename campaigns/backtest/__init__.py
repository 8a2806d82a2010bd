"""What would a campaign have done over the events of the past days? By the rules that run it in earnest.

``arrivals`` asks the trigger's conditions about the events of the log, ``doors`` says who enters, ``walks`` takes
journeys through the steps, ``mailing`` says what of it would go out. All of it reads only: PostgreSQL refuses anything
else meanwhile. People are independent of each other, so nothing has to be replayed in order: each journey has a clock
of its own, and all of them move in one go.
"""

from __future__ import annotations

from campaigns.backtest.run import Cancelled, Plan, Result, run

__all__ = ["Cancelled", "Plan", "Result", "run"]
