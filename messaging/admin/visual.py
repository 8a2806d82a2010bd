"""The visual editor: a mail in MJML put together by drag and drop."""

from __future__ import annotations

import re

from django.contrib import admin, messages
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import get_object_or_404
from django.template.response import TemplateResponse
from django.urls import reverse

from messaging import checking
from messaging.admin import editor, history, journal, unsaved
from messaging.models import Template
from messaging.names import ChannelName
from messaging.versions import content_of

STARTER = """\
<mjml>
  <mj-body background-color="#f3f4f6">
    <mj-section background-color="#ffffff" padding="24px">
      <mj-column>
        <mj-text font-size="24px" color="#111827">Hello {{ customer.first_name | default: "there" }}</mj-text>
        <mj-text font-size="16px" line-height="1.5" color="#374151">What do you want to say?</mj-text>
        <mj-button background-color="#2f5bea" color="#ffffff" href="https://example.com">To the shop</mj-button>
      </mj-column>
    </mj-section>
    <mj-section>
      <mj-column>
        <mj-text align="center" font-size="12px" color="#4b5563">
          {{ postal_address }} · <a href="{{ unsubscribe_url }}" style="color:#4b5563">Unsubscribe</a>
        </mj-text>
      </mj-column>
    </mj-section>
  </mj-body>
</mjml>
"""


def page(request: HttpRequest, template_id: int) -> HttpResponse:
    """Show the editor with the template's MJML; a POST stores what was put together."""
    editor.require(request, "messaging.change_template")
    template = get_object_or_404(Template.objects.select_related("layout"), pk=template_id)
    if template.channel != ChannelName.EMAIL:
        messages.info(request, "Only mails are put together by drag and drop.")
        return HttpResponseRedirect(reverse("admin:messaging_template_change", args=[template_id]))
    if request.method == "POST":
        return _store(request, template)
    is_mjml = template.markup == Template.Markup.MJML
    context = {
        **admin.site.each_context(request),
        "title": f"{template}: put together",
        "opts": Template._meta,
        "original": template,
        "template": template,
        "source": template.html if is_mjml and template.html.strip() else STARTER,
        "replaces": not is_mjml and bool(template.html.strip()),
        "is_fullwidth": "1",
    }
    return TemplateResponse(request, "admin/messaging/template/visual.html", context)


def _store(request: HttpRequest, template: Template) -> HttpResponse:
    """Store the MJML, and what was there before as a version. What cannot be compiled is refused."""
    source = _tidy(unsaved.clean(request.POST.get("mjml", "")))
    here = reverse("admin:messaging_template_visual", args=[template.pk])
    wanted = Template(name=template.name, subject=template.subject or "…", html=source, markup=Template.Markup.MJML)
    if wrong := checking.problems(content_of(wanted, {})):
        messages.error(request, f"It was not saved: {wrong[0]}")
        return HttpResponseRedirect(here)
    history.freeze_if_possible(template, request)
    template.html, template.markup, template.layout = source, Template.Markup.MJML, None
    template.save()
    journal.note(request, template, "Put together by drag and drop.")
    messages.success(request, "Saved.")
    return HttpResponseRedirect(reverse("admin:messaging_template_change", args=[template.pk]))


def _tidy(source: str) -> str:
    """Put each tag on a line of its own, for whoever reads the code, and give quotes back to Liquid."""
    text = re.sub(
        r"\{(?:\{|%)[^{}]*(?:\}|%)\}", lambda match: match[0].replace("&quot;", '"').replace("&gt;", ">"), source
    )
    return re.sub(r">\s*<(?=/?mj)", ">\n<", text).strip() + "\n"
