"""Turn conditions into SQL: one compiler for triggers, segments, branches, waits and goals, parameters only."""

from events.audience.compiler import Reading, compile_condition
from events.audience.scope import EVENTS, Scope, profiles

__all__ = ["EVENTS", "Reading", "Scope", "compile_condition", "profiles"]
