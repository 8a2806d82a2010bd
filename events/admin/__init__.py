"""The admin of people and events: one file per page."""

from events.admin import (
    audit_log,
    computed,
    groups,
    imports,
    keeping,
    live,
    parked,
    plan,
    profiles,
    segments,
    sources,
    tokens,
    users,
    violations,
)

__all__ = [
    "audit_log",
    "computed",
    "groups",
    "imports",
    "keeping",
    "live",
    "parked",
    "plan",
    "profiles",
    "segments",
    "sources",
    "tokens",
    "users",
    "violations",
]
