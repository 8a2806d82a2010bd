"""The tables of this room, by what they are about."""

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

__all__ = [
    "TEST_KEY",
    "DeliveryEvent",
    "FrequencyCap",
    "Layout",
    "Message",
    "MessageBody",
    "Priority",
    "Provider",
    "Purpose",
    "SendingLimits",
    "Subscription",
    "Suppression",
    "Template",
    "TemplateVersion",
    "Topic",
    "Unsubscription",
]
