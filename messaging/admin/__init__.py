"""The console's pages of this room: one file per page. Importing it registers them."""

from messaging.admin import (
    caps,
    layouts,
    limits,
    messages,
    pieces,
    providers,
    reporting,
    suppressions,
    template_versions,
    templates,
    topics,
    unsubscriptions,
)

__all__ = [
    "caps",
    "layouts",
    "limits",
    "messages",
    "pieces",
    "providers",
    "reporting",
    "suppressions",
    "template_versions",
    "templates",
    "topics",
    "unsubscriptions",
]
