"""Where a topic is used: nobody may delete it from under those who do. Other rooms register where they look."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from django.db import transaction
from django.urls import reverse

from events import references
from events.conditions import ConditionError, parse, walk
from events.conditions.nodes import Foreign
from events.models import Segment
from events.segments import usage
from events.segments.usage import Use
from messaging.models import Subscription, Template, TemplateVersion, Topic
from messaging.questions import OfTopic

KEPT = "People have said whether they want it, or campaigns have been published with mails about it, and that is kept."

_finders: list[Callable[[Topic], Iterator[Use]]] = []


class CannotDelete(ValueError):
    """Raised for a topic that has to stay; the message says why, and what to do."""


def register(find: Callable[[Topic], Iterator[Use]]) -> None:
    """Ask ``find`` as well where a topic is used."""
    _finders.append(find)


def mentions(tree: Any, slug: str) -> bool:
    """Say whether JSON speaks of a topic: asks what was said of it, says something, or listens for the news of it."""
    if isinstance(tree, list):
        return any(mentions(part, slug) for part in tree)
    if not isinstance(tree, dict):
        return False
    # Properties that a step sends along may be called topic as well.
    is_about = tree.get("topic") == slug and ("is" in tree or tree.get("kind") == "subscribe")
    return is_about or usage.compares(tree, "topic", slug) or any(mentions(part, slug) for part in tree.values())


def uses(topic: Topic) -> list[Use]:
    """Return all that uses ``topic``: templates, segments, and what other rooms know of."""
    found = [
        Use("Template", template.name, reverse("admin:messaging_template_change", args=[template.pk]))
        for template in Template.objects.filter(topic=topic).order_by("name")
    ]
    segments = Segment.objects.exclude(condition=None).order_by("name")
    found += [usage.of_segment(segment) for segment in segments if mentions(segment.condition, topic.slug)]
    return found + [use for find in _finders for use in find(topic)]


def asked(condition: Any) -> Iterator[Use]:
    """Yield the topics that a condition asks about."""
    try:
        parts = [part.question for part in walk(parse(condition)) if isinstance(part, Foreign)]
    except ConditionError:
        return
    slugs = {part.slug for part in parts if isinstance(part, OfTopic)}
    for topic in Topic.objects.filter(slug__in=slugs).order_by("name") if slugs else ():
        yield Use("Topic", topic.name, reverse("admin:messaging_topic_change", args=[topic.pk]))


def is_kept(topic: Topic) -> bool:
    """Say whether something has come of the topic that is kept for good."""
    said = Subscription.objects.filter(topic=topic)
    return said.exists() or TemplateVersion.objects.filter(topic=topic).exists()


def obstacle(topic: Topic) -> str:
    """Say why ``topic`` cannot be deleted, and what to do; "" when it can."""
    if found := uses(topic):
        return f"It is used by {usage.listed(found)}. Take it out there first."
    return f"{KEPT} Archive it instead." if is_kept(topic) else ""


@transaction.atomic
def delete(topic: Topic) -> None:
    """Delete a topic. Raises CannotDelete, and leaves it, when something uses it or has come of it."""
    references.hold()
    if found := obstacle(topic):
        raise CannotDelete(found)
    topic.delete()
