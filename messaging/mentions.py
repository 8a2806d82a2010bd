"""Which templates and layouts show a trait of the person, as they are edited or as campaigns have frozen them."""

from __future__ import annotations

from collections.abc import Iterator

from django.urls import reverse

from events.computed.usage import mentions, shows
from events.segments.usage import Use
from messaging.models import Layout, Template, TemplateVersion


def of_trait(name: str) -> Iterator[Use]:
    """Yield the templates and layouts that show it. Three statements."""
    frozen = TemplateVersion.objects.filter(content__icontains=name).values_list("template_id", "content")
    sent = {pk for pk, content in frozen if mentions(content, name)}
    for template in Template.objects.order_by("name"):
        texts = (template.subject, template.preheader, template.html, template.text)
        if template.pk in sent or any(shows(text, name) for text in texts):
            yield Use("Template", template.name, reverse("admin:messaging_template_change", args=[template.pk]))
    for layout in Layout.objects.order_by("name"):
        if shows(layout.html, name) or shows(layout.text, name):
            yield Use("Layout", layout.name, reverse("admin:messaging_layout_change", args=[layout.pk]))
