"""The admin of people and events: one file per page."""

from events.admin import imports, live, parked, plan, profiles, sources, tokens, users, violations

__all__ = ["imports", "live", "parked", "plan", "profiles", "sources", "tokens", "users", "violations"]
