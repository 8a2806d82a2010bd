"""The console's pages of this room: one file per page. Importing it registers them."""

from messaging.admin import (
    layouts,
    messages,
    providers,
    suppressions,
    template_versions,
    templates,
    topics,
    unsubscriptions,
)

__all__ = [
    "layouts",
    "messages",
    "providers",
    "suppressions",
    "template_versions",
    "templates",
    "topics",
    "unsubscriptions",
]
