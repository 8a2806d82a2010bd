"""From a claimed message to a mail that can be handed over, or to the reason why there is none.

What is known is read fresh for the whole batch: people may have changed their address, or their mind, since the
message was queued.
"""

from __future__ import annotations

import logging
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from email.utils import parseaddr

from django.conf import settings
from django.db.models import Case, When

from events import groups, present
from events.clock import zone_of
from events.models import Group, Profile
from messaging import links, lists, policy, subscriptions, variables
from messaging.caps import Cap
from messaging.channels import KINDS
from messaging.channels.base import Mail
from messaging.errors import TemplateError
from messaging.models import (
    TEST_KEY,
    FrequencyCap,
    Message,
    Priority,
    Provider,
    Purpose,
    SendingLimits,
    Suppression,
    TemplateVersion,
    Unsubscription,
)
from messaging.policy import ProviderState, TopicState
from messaging.reasons import Reason
from messaging.rendering import Rendered, render
from messaging.states import Status

logger = logging.getLogger(__name__)

# Whom a redirected mail was for: a header that programs can sort by, and the subject for people.
RECIPIENT = "X-Cuebird-Recipient"


@dataclass(frozen=True, slots=True)
class Prepared:
    """A message that may go: the mail and who carries it."""

    message: Message
    mail: Mail
    provider: Provider


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a try ended. ``due_at`` is set when the message goes back into the queue, ``mail`` when it was sent."""

    message: Message
    status: Status
    at: datetime
    reason: str = ""
    detail: str = ""
    due_at: datetime | None = None
    provider: Provider | None = None
    provider_message_id: str = ""
    mail: Mail | None = None


@dataclass(frozen=True, slots=True)
class PutOff:
    """A claimed message that goes back into the queue untried, until ``until``, and why.

    ``held_since``: a cap holds it, since now unless it did already.
    """

    message: Message
    until: datetime
    reason: Reason
    detail: str
    held_since: datetime | None = None


@dataclass(frozen=True, slots=True)
class Situation:
    """Everything a batch needs to know, read in seven statements, and in one more each for groups and for topics."""

    people: dict[int, Profile]
    versions: dict[int, TemplateVersion]
    providers: dict[int, Provider]
    default: Provider | None
    mailbox: Provider | None
    suppressed: frozenset[str]
    left: frozenset[str]
    unsubscribed: frozenset[int]
    groups: dict[int, list[Group]]
    topics: dict[subscriptions.Pair, TopicState]
    limits: SendingLimits
    caps: list[Cap]


def look(
    messages: Sequence[Message],
    versions: dict[int, TemplateVersion] | None = None,
    people: dict[int, Profile] | None = None,
) -> Situation:
    """Read what is true about a batch right now. Seven statements, and one more each where a template speaks of groups
    and where it is about a topic. ``versions`` and ``people`` are those of the messages, where they are at hand.
    """
    people = people or Profile.objects.in_bulk({message.profile_id for message in messages})
    versions = versions or TemplateVersion.objects.in_bulk({message.template_version_id for message in messages})
    providers = Provider.objects.in_bulk()
    addresses = {
        address_of(message, people[message.profile_id]).lower() for message in messages if _known(message, people)
    }
    limits = SendingLimits.current()
    causes = _causes(addresses | {limits.target.lower()})
    unsubscribed = Unsubscription.objects.filter(profile__in=people)
    return Situation(
        people=people,
        versions=versions,
        providers=providers,
        default=next((provider for provider in providers.values() if provider.is_default), None),
        mailbox=next((provider for provider in providers.values() if _is_mailbox(provider)), None),
        suppressed=frozenset(address for address, cause in causes.items() if cause != Suppression.Cause.LEFT),
        left=frozenset(address for address, cause in causes.items() if cause == Suppression.Cause.LEFT),
        unsubscribed=frozenset(unsubscribed.values_list("profile_id", flat=True)),
        groups=_groups(messages, versions),
        topics=subscriptions.states([asked for message in messages if (asked := _topic(message, versions))]),
        limits=limits,
        caps=FrequencyCap.binding(),
    )


def _topic(message: Message, versions: Mapping[int, TemplateVersion]) -> subscriptions.Pair | None:
    """Return what is to be asked about the message's topic, None where it is about none."""
    topic = versions[message.template_version_id].topic_id
    return (message.profile_id, topic, message.channel) if topic else None


def _groups(messages: Sequence[Message], versions: Mapping[int, TemplateVersion]) -> dict[int, list[Group]]:
    """Return the groups of those whose template speaks of them. One statement, none when no template does."""
    asking = {pk for pk, version in versions.items() if variables.mentions_groups(version.content.values())}
    readers = {message.profile_id for message in messages if message.template_version_id in asking}
    return groups.of_people(readers) if readers else {}


def _causes(addresses: Collection[str]) -> dict[str, str]:
    """Return why which of these addresses stand on the suppression list. One statement."""
    forms = {form: address for address in addresses for form in lists.forms(address)}
    listed = Suppression.objects.filter(channel="email", address__in=forms)
    # Struck off for good counts more than having left.
    listed = listed.order_by(Case(When(cause=Suppression.Cause.LEFT, then=0), default=1))
    return {forms[form]: cause for form, cause in listed.values_list("address", "cause")}


def _is_mailbox(provider: Provider) -> bool:
    return provider.kind == Provider.Kind.MAILBOX and provider.enabled


def prepare(message: Message, situation: Situation) -> Prepared | Outcome | PutOff | None:
    """Decide about a message and write its mail; None when its person was merged away just now: look again."""
    if not _known(message, situation.people):
        return None
    profile = situation.people[message.profile_id]
    provider = _carrier(message, profile, situation)
    address = address_of(message, profile)
    verdict = policy.decide(_facts(message, profile, address, provider, situation))
    if verdict.reason is not None:
        return Outcome(message, Status.SKIPPED, present.now(), verdict.reason)
    assert provider is not None
    if waits := _quiet(message, profile, situation.limits):
        return waits
    try:
        version = situation.versions[message.template_version_id]
        belongs_to, postal = situation.groups.get(profile.pk, ()), situation.limits.postal_address
        mail = write(message, version, profile, provider, address, belongs_to, postal)
    except TemplateError as error:
        return Outcome(message, Status.FAILED, present.now(), Reason.TEMPLATE_ERROR, str(error))
    except Exception as error:
        # One message must not take its batch down again and again: it is set aside with what is known.
        logger.exception("message %s could not be written", message.public_id)
        return Outcome(message, Status.FAILED, present.now(), Reason.TEMPLATE_ERROR, repr(error))
    return Prepared(message, redirected(mail, situation.limits.target), provider)


def _quiet(message: Message, profile: Profile, limits: SendingLimits) -> PutOff | None:
    """Put a message off to the end of the quiet hours, if it would go out within. Tests of templates do not wait."""
    if limits.quiet is None or message.key.startswith(TEST_KEY):
        return None
    zone = zone_of((profile.time_zone, settings.FALLBACK_TIME_ZONE))
    urgent = message.priority == Priority.URGENT
    until = limits.quiet.until(purpose=message.purpose, urgent=urgent, now=present.now(), zone=zone)
    if until is None:
        return None
    return PutOff(message, until, Reason.QUIET_HOURS, f"until {until.astimezone(zone):%H:%M} in {zone.key}")


def refusals(profile: Profile, versions: Collection[TemplateVersion]) -> dict[int, Reason]:
    """Return why mails would not be sent to a person if they were due now, by template version. As ``look`` states."""
    return {version_id: reason for (_, version_id), reason in refusals_of([profile], versions).items()}


def refusals_of(people: Iterable[Profile], versions: Collection[TemplateVersion]) -> dict[tuple[int, int], Reason]:
    """Return why mails would not be sent if they were due now, by person and template version. As ``look`` states.

    The versions need not be stored.
    """
    messages = [
        Message(profile=person, template_version=v, purpose=v.purpose, provider_id=v.provider_id)
        for person in people
        for v in versions
    ]
    if not messages:
        return {}
    known = {message.profile_id: message.profile for message in messages}
    situation = look(messages, {version.pk: version for version in versions}, known)
    found: dict[tuple[int, int], Reason] = {}
    for message in messages:
        profile = message.profile
        address, provider = address_of(message, profile), _carrier(message, profile, situation)
        verdict = policy.decide(_facts(message, profile, address, provider, situation))
        if verdict.reason is not None:
            found[profile.pk, message.template_version_id] = verdict.reason
    return found


def redirected(mail: Mail, target: str) -> Mail:
    """Return ``mail`` as it goes to the test address in its recipient's place; as it is where ``target`` is ""."""
    if not target:
        return mail
    return replace(
        mail,
        address=target,
        subject=f"[for {mail.address}] {mail.subject}",
        headers={**mail.headers, RECIPIENT: mail.address},
        redirected=True,
    )


def write(
    message: Message,
    version: TemplateVersion,
    profile: Profile,
    provider: Provider,
    address: str,
    belongs_to: Sequence[Group] = (),
    postal_address: str = "",
) -> Mail:
    """Render a message as it goes out through ``provider``. Raises TemplateError."""
    marketing = message.purpose == Purpose.MARKETING
    unsubscribe_url = links.unsubscribe_url(message.public_id)
    content: dict[str, str] = version.content
    known = variables.build(profile, message.variables, unsubscribe_url, belongs_to, postal_address)
    rendered = render(content, known, unsubscribe_link=marketing)
    sender = content.get("from_email") or provider.from_email or settings.DEFAULT_FROM_EMAIL
    return Mail(
        public_id=message.public_id,
        address=address,
        from_email=sender,
        reply_to=content.get("reply_to", ""),
        subject=rendered.subject,
        html=_html(rendered, message, provider),
        text=rendered.text,
        headers=_headers(message, sender, unsubscribe_url if marketing else ""),
    )


def address_of(message: Message, profile: Profile) -> str:
    """Return where a message goes: to the person as they are now, a test to the address it was made for."""
    return message.address if message.key.startswith(TEST_KEY) else profile.email.strip()


def _carrier(message: Message, profile: Profile, situation: Situation) -> Provider | None:
    """Return who carries a message. What is written for a sandbox person stays here, whatever was chosen."""
    if profile.is_sandbox:
        return situation.mailbox
    return situation.providers.get(message.provider_id) if message.provider_id else situation.default


def _known(message: Message, people: dict[int, Profile]) -> bool:
    return message.profile_id in people


def _facts(
    message: Message, profile: Profile, address: str, provider: Provider | None, situation: Situation
) -> policy.Facts:
    # The author who tries a template out is not the person it is written for.
    is_test = message.key.startswith(TEST_KEY)
    topic = None if is_test else _topic(message, situation.versions)
    # The test address, if mail is redirected to it, has to take mail as well.
    places = {address.lower(), situation.limits.target.lower()} - {""}
    return policy.Facts(
        address=address,
        suppressed=not places.isdisjoint(situation.suppressed),
        unsubscribed=not is_test and (profile.pk in situation.unsubscribed or not places.isdisjoint(situation.left)),
        purpose=message.purpose,
        provider=ProviderState.NO_MAILBOX if profile.is_sandbox and provider is None else _state(provider),
        topic=situation.topics.get(topic, TopicState.NONE) if topic else TopicState.NONE,
    )


def _state(provider: Provider | None) -> ProviderState:
    if provider is None:
        return ProviderState.MISSING
    return ProviderState.READY if provider.enabled else ProviderState.DISABLED


def _html(rendered: Rendered, message: Message, provider: Provider) -> str:
    if KINDS[provider.kind].tracks or not rendered.html:
        return rendered.html
    return links.track(rendered.html, message.public_id)


def _headers(message: Message, sender: str, unsubscribe_url: str) -> dict[str, str]:
    """Return the mail's own headers; the Message-ID is the same for every try (RFC 8058 for the other two)."""
    domain = parseaddr(sender)[1].rpartition("@")[2] or "localhost"
    headers = {"Message-ID": f"<{message.public_id}@{domain}>"}
    if unsubscribe_url:
        headers["List-Unsubscribe"] = f"<{unsubscribe_url}>"
        headers["List-Unsubscribe-Post"] = "List-Unsubscribe=One-Click"
    return headers
