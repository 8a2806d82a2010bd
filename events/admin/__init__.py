"""The admin of people and events: one file per page."""

from events.admin import live, parked, profiles, sources, tokens, users

__all__ = ["live", "parked", "profiles", "sources", "tokens", "users"]
