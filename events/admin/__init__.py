"""The admin of people and events: one file per page."""

from events.admin import imports, live, parked, profiles, sources, tokens, users

__all__ = ["imports", "live", "parked", "profiles", "sources", "tokens", "users"]
