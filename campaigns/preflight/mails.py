"""What the mails of a draft lack: variables that are in no traffic, a way out, an address, a sender who is believed."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from email.utils import parseaddr
from typing import Any

from django.conf import settings

from campaigns import places
from campaigns.engine.steps import Workflow
from campaigns.preflight.finding import Finding
from messaging import linting
from messaging.models import Provider, Purpose, SendingLimits, Template
from messaging.names import ChannelName
from messaging.versions import content_of

# Reserved by RFC 2606 and 6761: nobody gets an answer from there.
NOWHERE = ("example", "invalid", "localhost", "test", "local")
# Whoever sends as somebody of these through another provider fails DMARC there.
OTHERS = frozenset(
    ("gmail.com", "googlemail.com", "yahoo.com", "hotmail.com", "outlook.com", "live.com", "aol.com", "icloud.com")
)


def warnings(workflow: Workflow, draft: dict[str, Any]) -> Iterator[Finding]:
    """Yield what is the matter with each send step's mail. A fixed number of statements."""
    sends = list(places.send_steps(draft))
    ids = [step["template"] for _, step in sends]
    templates = Template.objects.select_related("layout", "provider").in_bulk(ids)
    defaults = {provider.channel: provider for provider in Provider.objects.filter(is_default=True)}
    postal = SendingLimits.current().postal
    for place, step in sends:
        template = templates.get(step["template"])
        if template is None:
            continue
        content = content_of(template)
        yield from _variables(place, template.name, content, workflow.trigger.event)
        if template.purpose == Purpose.MARKETING and template.channel == ChannelName.EMAIL:
            yield from _lawful(place, template.name, content, postal)
        yield from _sender(place, template, defaults.get(template.channel))
        if step.get("sending", "automatic") == "never":
            yield Finding(
                "sends_nothing",
                place,
                "this step is only tried out: nobody gets its mail",
                "Let it send by itself when you mean it.",
            )


def _variables(place: str, name: str, content: Mapping[str, Any], event: str) -> Iterator[Finding]:
    """Yield the variables that nobody has ever had, or many lack; what was not observed at all is left alone."""
    for lack in linting.lacking(content, event):
        yield Finding("variable", f"{place}.template", f"{name} {lack.words}", lack.advice)


def _lawful(place: str, name: str, content: Mapping[str, str], postal: str) -> Iterator[Finding]:
    shown = f"{content['html']}{content['layout_html']}"
    if "unsubscribe_url" not in shown:
        yield Finding(
            "unsubscribe",
            f"{place}.template",
            f"{name} is marketing and shows no unsubscribe link: a plain one is put at its end",
            "Insert {{ unsubscribe_url }} where it fits.",
        )
    if not postal:
        yield Finding(
            "postal_address",
            f"{place}.template",
            f"{name} is marketing, and no postal address is set, which the law asks for: none of it would be sent",
            "Write yours under Sending limits: it is put at the end of such mails.",
        )


def _sender(place: str, template: Template, default: Provider | None) -> Iterator[Finding]:
    provider = template.provider or default
    if provider is None:
        yield Finding(
            "provider",
            f"{place}.template",
            f"no provider would send {template.name}",
            "Under Providers, make one the default.",
        )
        return
    if not provider.enabled:
        yield Finding(
            "provider",
            f"{place}.template",
            f"{provider.name}, which sends {template.name}, is switched off",
            "Switch it on under Providers.",
        )
    sender = template.from_email or provider.from_email or settings.DEFAULT_FROM_EMAIL
    domain = parseaddr(sender)[1].rpartition("@")[2].lower()
    if provider.kind == Provider.Kind.MAILBOX or template.channel != ChannelName.EMAIL:
        return
    if domain.rpartition(".")[2] in NOWHERE or domain in ("example.com", "example.org", "example.net"):
        yield Finding(
            "sender",
            f"{place}.template",
            f"{template.name} is sent by {sender}, a domain that is only an example",
            "Write a sender of your own domain at the provider or the template.",
        )
    elif domain in OTHERS:
        yield Finding(
            "sender",
            f"{place}.template",
            f"{template.name} is sent by {sender}: {domain} lets nobody send in its name, so it will be refused",
            "Write a sender of your own domain at the provider or the template.",
        )
