"""The tables of this room, by what they are about."""

from messaging.models.content import Feed, Pace, Snippet, TemplateTranslation
from messaging.models.limits import FrequencyCap, SendingLimits
from messaging.models.messages import (
    TEST_KEY,
    DeliveryEvent,
    Layout,
    Message,
    MessageBody,
    Priority,
    Provider,
    Purpose,
    Subscription,
    Suppression,
    Template,
    TemplateVersion,
    Topic,
    Unsubscription,
)
from messaging.models.reporting import Report, ReportEndpoint

__all__ = [
    "TEST_KEY",
    "DeliveryEvent",
    "Feed",
    "FrequencyCap",
    "Layout",
    "Message",
    "MessageBody",
    "Pace",
    "Priority",
    "Provider",
    "Purpose",
    "Report",
    "ReportEndpoint",
    "SendingLimits",
    "Snippet",
    "Subscription",
    "Suppression",
    "Template",
    "TemplateTranslation",
    "TemplateVersion",
    "Topic",
    "Unsubscription",
]
