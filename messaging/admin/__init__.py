"""The console's pages of this room: one file per page. Importing it registers them."""

from messaging.admin import (
    caps,
    consents,
    deliverability,
    layouts,
    limits,
    messages,
    pieces,
    providers,
    public_pages,
    reporting,
    suppressions,
    template_versions,
    templates,
    topics,
    unsubscriptions,
)

__all__ = [
    "caps",
    "consents",
    "deliverability",
    "layouts",
    "limits",
    "messages",
    "pieces",
    "providers",
    "public_pages",
    "reporting",
    "suppressions",
    "template_versions",
    "templates",
    "topics",
    "unsubscriptions",
]
