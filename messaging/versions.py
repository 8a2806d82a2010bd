"""Freeze a template as it is now: what a published campaign sends, whatever is edited afterwards."""

from __future__ import annotations

import hashlib
import json

from django.db import transaction
from django.db.models import Max

from messaging.models import Template, TemplateVersion


def content_of(template: Template) -> dict[str, str]:
    """Return everything of ``template`` that rendering needs, in the keys of ``TemplateVersion.content``."""
    layout = template.layout
    return {
        "subject": template.subject,
        "preheader": template.preheader,
        "html": template.html,
        "text": template.text,
        "layout_html": layout.html if layout else "",
        "layout_text": layout.text if layout else "",
        "from_email": template.from_email,
        "reply_to": template.reply_to,
    }


def freeze(template: Template) -> TemplateVersion:
    """Return the version that equals ``template``, a new one when there is none. Locks the template's row."""
    with transaction.atomic():
        template = Template.objects.select_for_update(of=("self",)).select_related("layout").get(pk=template.pk)
        content = content_of(template)
        digest = _digest(template, content)
        versions = TemplateVersion.objects.filter(template=template)
        found = versions.filter(content_hash=digest).first()
        if found:
            return found
        last = versions.aggregate(last=Max("number"))["last"] or 0
        return TemplateVersion.objects.create(
            template=template,
            number=last + 1,
            purpose=template.purpose,
            topic_id=template.topic_id,
            provider_id=template.provider_id,
            content=content,
            content_hash=digest,
        )


def _digest(template: Template, content: dict[str, str]) -> str:
    parts: list[object] = [content, template.purpose, template.provider_id]
    if template.topic_id:
        parts.append(template.topic_id)
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()
