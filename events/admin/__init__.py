"""The admin of people and events: one file per page."""

from events.admin import groups, imports, live, parked, plan, profiles, sources, tokens, users, violations

__all__ = ["groups", "imports", "live", "parked", "plan", "profiles", "sources", "tokens", "users", "violations"]
