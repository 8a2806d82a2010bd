"""What the mails of a draft lack: variables that are in no traffic, a way out, an address, a sender who is believed."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from email.utils import parseaddr
from typing import Any

from django.conf import settings

from campaigns import places
from campaigns.engine.steps import Workflow
from campaigns.preflight.finding import Finding
from events import catalog, liquid_engine
from events.models import ComputedTrait, EventDefinition
from messaging import rendering
from messaging.models import Provider, Purpose, SendingLimits, Template
from messaging.variables import PERSON
from messaging.versions import content_of

# Reserved by RFC 2606 and 6761: nobody gets an answer from there.
NOWHERE = ("example", "invalid", "localhost", "test", "local")
# Whoever sends as somebody of these through another provider fails DMARC there.
OTHERS = frozenset(
    ("gmail.com", "googlemail.com", "yahoo.com", "hotmail.com", "outlook.com", "live.com", "aol.com", "icloud.com")
)
SHOWN = 10


@dataclass(slots=True)
class _Known:
    """What traffic has shown: properties of the event at hand and traits, None where nothing was observed yet."""

    properties: set[str] | None
    traits: set[str] | None
    event: str

    def of(self, root: str) -> tuple[set[str] | None, str]:
        """Return what is known below a variable, and who lacks the rest."""
        if root == "customer":
            return self.traits, "nobody"
        return (self.properties, f"no “{self.event}”") if root in ("trigger", "event") else (None, "")


def warnings(workflow: Workflow, draft: dict[str, Any]) -> Iterator[Finding]:
    """Yield what is the matter with each send step's mail. A fixed number of statements."""
    sends = list(places.send_steps(draft))
    ids = [step["template"] for _, step in sends]
    templates = Template.objects.select_related("layout", "provider").in_bulk(ids)
    known = _known(workflow.trigger.event)
    default = Provider.objects.filter(is_default=True).first()
    postal = SendingLimits.current().postal_address.strip()
    for place, step in sends:
        template = templates.get(step["template"])
        if template is None:
            continue
        content = content_of(template)
        yield from _variables(place, template.name, content, known)
        if template.purpose == Purpose.MARKETING:
            yield from _lawful(place, template.name, content, postal)
        yield from _sender(place, template, default)
        if step.get("sending", "automatic") == "never":
            yield Finding(
                "sends_nothing",
                place,
                "this step is only tried out: nobody gets its mail",
                "Let it send by itself when you mean it.",
            )


def _known(event: str) -> _Known:
    names = (event, catalog.TRAITS)
    observed = dict(EventDefinition.objects.filter(name__in=names, observed__gt=0).values_list("name", "observed"))
    properties = {stat.path for stat in catalog.properties(event)} if event in observed else None
    traits = None
    if catalog.TRAITS in observed:
        computed = ComputedTrait.objects.values_list("name", flat=True)
        traits = {stat.path for stat in catalog.traits()} | set(computed) | PERSON
    return _Known(properties, traits, event)


def _variables(place: str, name: str, content: Mapping[str, str], known: _Known) -> Iterator[Finding]:
    """Yield the variables that nobody has ever had; what was not observed at all is left alone."""
    for path in sorted(_shown(content))[:SHOWN]:
        root, _, rest = path.partition(".")
        seen, nobody = known.of(root)
        if seen is None or not rest or rest in seen or any(each.startswith(f"{rest}.") for each in seen):
            continue
        nearest = catalog.spelled_like(rest, seen)
        meant = f" Did you mean {root}.{nearest}?" if nearest else ""
        yield Finding(
            "variable",
            f"{place}.template",
            f"{name} shows {{{{ {path} }}}}, which {nobody} has had so far",
            f"Correct it in the template, or give it a default.{meant}",
        )


def _shown(content: Mapping[str, str]) -> set[str]:
    """Return the variables that a mail speaks of, as paths; places in lists are cut off."""
    found: set[str] = set()
    for field in rendering.FIELDS:
        try:
            template = liquid_engine.parse(content.get(field, ""), escape=False)
        except liquid_engine.Fault:
            continue
        for uses in template.analyze(include_partials=False).globals.values():
            found.update(_path(use.segments) for use in uses)
    return found


def _path(segments: list[Any]) -> str:
    parts: list[str] = []
    for segment in segments:
        if not isinstance(segment, str) or (parts and segment in ("size", "first", "last")):
            break
        parts.append(segment)
    return ".".join(parts)


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
            f"{name} is marketing, and no postal address is set, which the law of many countries asks for",
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
    if provider.kind == Provider.Kind.MAILBOX:
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
