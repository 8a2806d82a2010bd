"""The tables of this room, by what they are about."""

from messaging.models.consent import Consent, PublicPages, TopicTranslation, TrackingRefusal
from messaging.models.content import Feed, Pace, Snippet, TemplateTranslation
from messaging.models.domains import CarrierCount, Hold, SendingDomain
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
    "CarrierCount",
    "Consent",
    "DeliveryEvent",
    "Feed",
    "FrequencyCap",
    "Hold",
    "Layout",
    "Message",
    "MessageBody",
    "Pace",
    "Priority",
    "Provider",
    "PublicPages",
    "Purpose",
    "Report",
    "ReportEndpoint",
    "SendingDomain",
    "SendingLimits",
    "Snippet",
    "Subscription",
    "Suppression",
    "Template",
    "TemplateTranslation",
    "TemplateVersion",
    "Topic",
    "TopicTranslation",
    "TrackingRefusal",
    "Unsubscription",
]
