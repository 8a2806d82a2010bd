"""Which campaigns use a topic, and where in them."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from typing import Any

from campaigns import segments
from events.segments.usage import Use
from messaging.models import Template, TemplateVersion, Topic
from messaging.topics import mentions


def uses(topic: Topic) -> Iterator[Use]:
    """Yield the campaigns that speak of the topic or send mails about it. Five statements."""
    edited = set(Template.objects.filter(topic=topic).values_list("pk", flat=True))
    frozen = set(TemplateVersion.objects.filter(topic=topic).values_list("pk", flat=True))
    return segments.using(lambda tree: mentions(tree, topic.slug) or _sends(tree, edited, frozen))


def template_uses(template: Template) -> Iterator[Use]:
    """Yield the campaigns that send mails made from a template."""
    frozen = set(TemplateVersion.objects.filter(template=template).values_list("pk", flat=True))
    return segments.using(lambda tree: _sends(tree, {template.pk}, frozen))


def _sends(tree: Any, edited: Collection[int], frozen: Collection[int]) -> bool:
    """Say whether JSON has a step that sends one of the templates: as it was frozen, else as it is edited."""
    if isinstance(tree, list):
        return any(_sends(part, edited, frozen) for part in tree)
    if not isinstance(tree, dict):
        return False
    version, template = tree.get("template_version"), tree.get("template")
    sends = version in frozen if isinstance(version, int) else isinstance(template, int) and template in edited
    return sends or any(_sends(part, edited, frozen) for part in tree.values())
