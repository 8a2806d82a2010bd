"""Test campaigns in your own continuous integration: weeks in a second, by the engine that runs them in earnest.

Needs a database that tests may use, as pytest-django's ``db`` gives one. See ``docs/testing-campaigns.md``.
"""

from __future__ import annotations

from campaigns.simulate import Decided, Happens, Mail, Run, Simulated, SimulationError, Visited, Walked, simulate

__all__ = ["Decided", "Happens", "Mail", "Run", "Simulated", "SimulationError", "Visited", "Walked", "simulate"]
