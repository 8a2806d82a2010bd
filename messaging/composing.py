"""From a claimed message to a mail that can be handed over, or to the reason why there is none.

What is known is read fresh for the whole batch: people may have changed their address, or their mind, since the
message was queued.
"""

from __future__ import annotations

import logging
import random
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from email.utils import parseaddr
from typing import Any

from django.conf import settings
from django.db.models import Case, When

from events import groups, present
from events.clock import zone_of
from events.models import Device, Group, Profile
from messaging import feeds, holds, links, lists, permission, policy, readers, retry, subscriptions, variables
from messaging.caps import Cap
from messaging.carriers import allowed_today, rest_key
from messaging.channels.base import Mail
from messaging.errors import SendError, TemplateError
from messaging.kinds import KINDS
from messaging.models import (
    TEST_KEY,
    FrequencyCap,
    Message,
    Pace,
    Priority,
    Provider,
    Purpose,
    SendingLimits,
    Suppression,
    TemplateVersion,
)
from messaging.names import TO_NO_PERSON, ChannelName
from messaging.policy import ProviderState, TopicState
from messaging.reasons import Reason
from messaging.rendering import Rendered, localised, render, shows_address, shows_link
from messaging.states import Status
from messaging.versions import texts as content_texts

logger = logging.getLogger(__name__)

# Whom a redirected mail was for: a header that programs can sort by, and the subject for people.
RECIPIENT = "X-Cuebird-Recipient"
UNSUBSCRIBE = "List-Unsubscribe"


# A channel and an address on it.
Place = tuple[str, str]


@dataclass(frozen=True, slots=True)
class Prepared:
    """A message that may go: the mail, who carries it, and whose consent it needs."""

    message: Message
    mail: Mail
    provider: Provider
    reader: readers.Reader


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a try ended. ``due_at`` is set when the message goes back into the queue, ``mail`` when it was sent.

    ``is_failing``: the provider, and not the message, is to blame; it asks to be left alone for ``rest_for`` seconds.
    ``rest_key`` is under which name it rests (``messaging.pacing``).
    """

    message: Message
    status: Status
    at: datetime
    reason: str = ""
    detail: str = ""
    due_at: datetime | None = None
    provider: Provider | None = None
    provider_message_id: str = ""
    mail: Mail | None = None
    rest_key: str = ""
    is_failing: bool = False
    rest_for: float = 0.0


@dataclass(frozen=True, slots=True)
class PutOff:
    """A claimed message that goes back into the queue untried, until ``until``, and why.

    ``held_since``: it waits for room or for somebody, since now unless it did already.
    """

    message: Message
    until: datetime
    reason: Reason
    detail: str
    held_since: datetime | None = None


@dataclass(frozen=True, slots=True)
class Situation:
    """Everything a batch needs to know, read in nine statements, and in one more each for groups, topics and devices.

    ``defaults`` are the default providers by channel; ``suppressed`` and ``left`` hold channel and address. ``readers``
    are whose consent tests need, by address. ``feeds`` are answers that templates read, by what they are asked with.
    """

    people: dict[int, Profile]
    versions: dict[int, TemplateVersion]
    providers: dict[int, Provider]
    defaults: dict[str, Provider]
    mailbox: Provider | None
    suppressed: frozenset[Place]
    left: frozenset[Place]
    standings: dict[int, permission.Standing]
    readers: dict[str, readers.Reader]
    held: holds.Held
    groups: dict[int, list[Group]]
    topics: dict[subscriptions.Pair, TopicState]
    limits: SendingLimits
    caps: list[Cap]
    devices: dict[int, list[Device]]
    feeds: feeds.Reader
    paces: dict[str, Pace]


def look(
    messages: Sequence[Message],
    versions: dict[int, TemplateVersion] | None = None,
    people: dict[int, Profile] | None = None,
) -> Situation:
    """Read what is true about a batch right now. Nine statements, and one more each where a template speaks of groups,
    where it is about a topic, and two where it is only tried out. ``versions`` and ``people`` are those of the
    messages, where they are at hand.
    """
    people = people or Profile.objects.in_bulk({message.profile_id for message in messages})
    versions = versions or TemplateVersion.objects.in_bulk({message.template_version_id for message in messages})
    providers = Provider.objects.in_bulk()
    devices = _devices(messages)
    places = {
        (message.channel, address_of(message, people[message.profile_id]).lower())
        for message in messages
        if message.profile_id in people
    }
    limits = SendingLimits.current()
    causes = _causes(places | {(ChannelName.EMAIL.value, limits.target.lower())})
    testing = readers.of_tests(messages, limits.test_addresses)
    asked = {pk for reader in testing.values() for pk in reader.ids}
    return Situation(
        people=people,
        versions=versions,
        providers=providers,
        defaults={provider.channel: provider for provider in providers.values() if provider.is_default},
        mailbox=next((provider for provider in providers.values() if _is_mailbox(provider)), None),
        suppressed=frozenset(place for place, cause in causes.items() if cause != Suppression.Cause.LEFT),
        left=frozenset(place for place, cause in causes.items() if cause == Suppression.Cause.LEFT),
        standings=permission.standings({*people, *asked}, present.now()),
        readers=testing,
        held=holds.current(),
        groups=_groups(messages, versions),
        topics=subscriptions.states(
            [
                (reader, topic, message.channel)
                for message in messages
                if (topic := versions[message.template_version_id].topic_id)
                for reader in _reader(message, testing).ids
            ]
        ),
        limits=limits,
        caps=FrequencyCap.binding(),
        devices=devices,
        paces={row.key: row for row in Pace.objects.filter(used__gt=0)},
        feeds=feeds.Reader({name for version in versions.values() for name in version.content.get("feeds", ())}),
    )


def _reader(message: Message, testing: Mapping[str, readers.Reader]) -> readers.Reader:
    """Return whose consent a message needs: its person's, of a test that of whoever has the address."""
    if message.key.startswith(TEST_KEY):
        return testing.get(message.address.lower(), readers.NOBODY)
    return readers.Reader((message.profile_id,))


def _groups(messages: Sequence[Message], versions: Mapping[int, TemplateVersion]) -> dict[int, list[Group]]:
    """Return the groups of those whose template speaks of them. One statement, none when no template does."""
    asking = {pk for pk, version in versions.items() if variables.mentions_groups(content_texts(version.content))}
    readers = {message.profile_id for message in messages if message.template_version_id in asking}
    return groups.of_people(readers) if readers else {}


def _causes(places: Collection[Place]) -> dict[Place, str]:
    """Return why which of these addresses stand on the suppression list of their channel. One statement."""
    forms = {(channel, form): address for channel, address in places for form in lists.forms(address)}
    listed = Suppression.objects.filter(address__in={form for _, form in forms})
    # Struck off for good counts more than having left.
    listed = listed.order_by(Case(When(cause=Suppression.Cause.LEFT, then=0), default=1))
    rows = listed.values_list("channel", "address", "cause")
    return {(channel, forms[channel, form]): cause for channel, form, cause in rows if (channel, form) in forms}


def _devices(messages: Iterable[Message]) -> dict[int, list[Device]]:
    """Return the browsers of those who are pushed to, by person. One statement, none where nobody is."""
    pushed = {message.profile_id for message in messages if message.channel == ChannelName.PUSH}
    found: dict[int, list[Device]] = {}
    if pushed:
        for device in Device.objects.filter(profile__in=pushed, platform="web").order_by("-last_used_at"):
            found.setdefault(device.profile_id, []).append(device)
    return found


def _is_mailbox(provider: Provider) -> bool:
    return provider.kind == Provider.Kind.MAILBOX and provider.enabled


def prepare(message: Message, situation: Situation) -> Prepared | Outcome | PutOff | None:
    """Decide about a message and write its mail; None when its person was merged away just now: look again."""
    if message.profile_id not in situation.people:
        return None
    profile = situation.people[message.profile_id]
    provider = _carrier(message, profile, situation)
    address = address_of(message, profile)
    verdict = policy.decide(_facts(message, profile, address, provider, situation))
    if verdict.reason is not None:
        return _kept_back(message, verdict, provider, address, situation)
    assert provider is not None
    if waits := _rests(message, provider, situation):
        return waits
    if waits := _quiet(message, profile, situation.limits):
        return waits
    try:
        version = situation.versions[message.template_version_id]
        mail = write(message, version, profile, provider, address, situation)
    except SendError as error:
        return _again(message, error)
    except TemplateError as error:
        return Outcome(message, Status.FAILED, present.now(), Reason.TEMPLATE_ERROR, str(error))
    except Exception as error:
        # One message must not take its batch down again and again: it is set aside with what is known.
        logger.exception("message %s could not be written", message.public_id)
        return Outcome(message, Status.FAILED, present.now(), Reason.TEMPLATE_ERROR, repr(error))
    if message.channel == ChannelName.WEBHOOK and (waits := _rests(message, provider, situation, mail.address)):
        return waits
    verdict = policy.look_over(_written(message, mail, situation.limits))
    if verdict.reason is not None:
        return Outcome(message, Status.SKIPPED, present.now(), verdict.reason)
    if message.channel == ChannelName.EMAIL:
        mail = redirected(mail, situation.limits.target)
    elif situation.limits.target:
        mail = replace(mail, redirected=True)
    return Prepared(message, mail, provider, _reader(message, situation.readers))


def _kept_back(
    message: Message, verdict: policy.Verdict, provider: Provider | None, address: str, situation: Situation
) -> Outcome | PutOff:
    """Return what becomes of a message that may not go: skipped, or put off while somebody puts things right."""
    assert verdict.reason is not None
    now = present.now()
    if not verdict.waits or now - (message.held_since or now) > holds.PATIENCE:
        return Outcome(message, Status.SKIPPED, now, verdict.reason)
    version = situation.versions[message.template_version_id]
    words = situation.held.because(provider, sender_of(message, version.content, provider), address)
    return PutOff(message, now + holds.LOOK_AGAIN, verdict.reason, words, held_since=now)


def _written(message: Message, mail: Mail, limits: SendingLimits) -> policy.Written:
    """Return what a finished mail shows. Only of marketing mails it is looked for."""
    if message.purpose != Purpose.MARKETING or message.channel != ChannelName.EMAIL:
        return policy.Written(message.purpose, message.channel, True, True)
    return policy.Written(
        message.purpose,
        message.channel,
        has_unsubscribe_link=shows_link(mail.headers.get(UNSUBSCRIBE, "")[1:-1], mail.html, mail.text),
        has_postal_address=shows_address(limits.postal, mail.html, mail.text),
    )


def _again(message: Message, error: SendError) -> Outcome:
    """Say what follows when a feed does not answer: the message is tried again, for a while."""
    now = present.now()
    next_step = retry.decide(error, purpose=message.purpose, attempts=message.attempts, now=now, jitter=random.random())
    if isinstance(next_step, retry.Retry):
        return Outcome(message, Status.QUEUED, now, detail=str(error), due_at=next_step.at)
    return Outcome(message, Status.FAILED, now, Reason.FEED_UNREACHABLE, str(error))


def _rests(message: Message, provider: Provider, situation: Situation, address: str = "") -> PutOff | None:
    """Put a message off while its provider is left alone; of webhooks each host by itself, once it is known."""
    row = _rest(provider, situation, address)
    if row is None:
        return None
    return PutOff(message, row.next_at, Reason.PROVIDER_RESTS, f"{provider} has failed {row.used} times in a row")


def _quiet(message: Message, profile: Profile, limits: SendingLimits) -> PutOff | None:
    """Put a message off to the end of the quiet hours, if it would go out within. Tests of templates do not wait."""
    if limits.quiet is None or message.key.startswith(TEST_KEY) or message.channel in TO_NO_PERSON:
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
        Message(
            profile=person,
            template_version=v,
            purpose=v.purpose,
            provider_id=v.provider_id,
            channel=v.content.get("channel", ChannelName.EMAIL),
        )
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
    situation: Situation,
) -> Mail:
    """Render a message as it goes out through ``provider``. Raises TemplateError, and SendError where a feed fails."""
    marketing = message.purpose == Purpose.MARKETING
    unsubscribe_url = links.unsubscribe_url(message.public_id)
    content = localised(version.content, profile.language)
    belongs_to, postal = situation.groups.get(profile.pk, ()), situation.limits.postal
    view_url = links.view_url(message.public_id) if mentions(content, "view_in_browser_url") else ""
    preferences_url = links.preferences_url(message.public_id) if mentions(content, "preferences_url") else ""
    known = variables.build(profile, message.variables, unsubscribe_url, belongs_to, postal, view_url, preferences_url)
    if names := content.get("feeds"):
        known["feeds"] = situation.feeds.read(names, known)
    rendered = render(content, known, unsubscribe_link=marketing)
    sender = sender_of(message, content, provider)
    if message.channel != ChannelName.EMAIL:
        return _other(message, rendered, sender, address, situation)
    return Mail(
        public_id=message.public_id,
        address=address,
        from_email=sender,
        reply_to=message.variables.get("reply_to") or content.get("reply_to", ""),
        subject=rendered.subject,
        html=_html(rendered, message, provider, situation),
        text=rendered.text,
        headers=_headers(message, sender, unsubscribe_url if marketing else ""),
        tracked=not _is_untracked(message, situation),
    )


def sender_of(message: Message, content: Mapping[str, Any], provider: Provider | None) -> str:
    """Return who a message is from: as it says itself, else its template, its provider, the settings."""
    sender: str = message.variables.get("from_email") or content.get("from_email") or ""
    return sender or (provider.from_email if provider else "") or settings.DEFAULT_FROM_EMAIL


def _other(message: Message, rendered: Rendered, sender: str, address: str, situation: Situation) -> Mail:
    """Return a message of another channel. What is called is an address that the template writes."""
    if message.channel == ChannelName.WEBHOOK:
        address = rendered.options.get("url", "")
        if not address.startswith(("https://", "http://")):
            raise TemplateError("url", 0, f"“{address}” is not an address that can be called")
    options = dict(rendered.options)
    if message.channel == ChannelName.PUSH and options.get("url"):
        # Browsers report no clicks: the address that a click opens counts them.
        options["url"] = links.click_url(message.public_id, options["url"])
    devices = situation.devices.get(message.profile_id, ())
    return Mail(
        public_id=message.public_id,
        address=address,
        from_email=sender,
        reply_to="",
        subject=rendered.subject,
        html="",
        text=rendered.text,
        channel=message.channel,
        options=options,
        devices=[{"id": device.device_id, **device.attributes} for device in devices],
    )


def address_of(message: Message, profile: Profile) -> str:
    """Return where a message goes: to the person as they are now, a test to the address it was made for."""
    if message.key.startswith(TEST_KEY):
        return message.address
    if message.channel == ChannelName.SMS:
        return policy.plain_number(profile.phone)
    # Whoever is told inside of the application, and by programs, needs no address.
    return profile.email.strip() if message.channel == ChannelName.EMAIL else message.channel


def _carrier(message: Message, profile: Profile, situation: Situation) -> Provider | None:
    """Return who carries a message. What is written for a sandbox person stays here, whatever was chosen, and so does
    what is no mail while everything goes to the test address."""
    if _stays_here(message, profile, situation):
        return situation.mailbox
    chosen = situation.providers.get(message.provider_id) if message.provider_id else None
    if not message.provider_id:
        chosen = situation.defaults.get(message.channel)
    return _stand_in(chosen, situation) or chosen


def _stand_in(provider: Provider | None, situation: Situation) -> Provider | None:
    """Return who carries messages in a provider's place: while it is switched off, rests, or has sent enough today."""
    stand_in = situation.providers.get(provider.fallback_id) if provider and provider.fallback_id else None
    if provider is None or stand_in is None or not stand_in.enabled or _rest(stand_in, situation):
        return None
    today = present.now().astimezone(UTC).date()
    used = situation.paces.get(f"day:{provider.pk}:{today}")
    allowed = allowed_today(provider, today)
    is_full = allowed is not None and used is not None and used.used >= allowed
    return stand_in if not provider.enabled or is_full or _rest(provider, situation) else None


def _rest(provider: Provider, situation: Situation, address: str = "") -> Pace | None:
    """Return the row by which a provider, or one host of webhooks, rests now; None where it does not."""
    row = situation.paces.get(rest_key(provider, address) if address else f"rest:{provider.pk}")
    return row if row and row.next_at > present.now() else None


def _stays_here(message: Message, profile: Profile, situation: Situation) -> bool:
    """Return whether the mailbox takes it: of a sandbox person, or no mail while mail goes to the test address."""
    return profile.is_sandbox or bool(situation.limits.target and message.channel != ChannelName.EMAIL)


def _facts(
    message: Message, profile: Profile, address: str, provider: Provider | None, situation: Situation
) -> policy.Facts:
    reader = _reader(message, situation.readers)
    places = {(message.channel, address.lower())} if address else set()
    if situation.limits.target:
        # The test address, if mail is redirected to it, has to take mail as well.
        places.add((ChannelName.EMAIL.value, situation.limits.target.lower()))
    if message.channel == ChannelName.PUSH and not situation.devices.get(profile.pk):
        address = ""
    version = situation.versions[message.template_version_id]
    sender = sender_of(message, version.content, provider)
    said = [situation.standings.get(pk, permission.SAID_NOTHING) for pk in reader.ids]
    return policy.Facts(
        channel=message.channel,
        address=address,
        suppressed=not places.isdisjoint(situation.suppressed),
        unsubscribed=not reader.is_colleague
        and message.channel not in TO_NO_PERSON
        and (any(one.unsubscribed for one in said) or not places.isdisjoint(situation.left)),
        purpose=message.purpose,
        provider=ProviderState.NO_MAILBOX
        if provider is None and _stays_here(message, profile, situation)
        else _state(provider),
        topic=_topic_state(reader, version.topic_id, message.channel, situation),
        consent=_consent(said, message.channel),
        needs_consent=situation.limits.needs_consent and not reader.is_colleague,
        has_postal_address=bool(situation.limits.postal.strip()),
        domain_fails=situation.held.domain_fails(provider, sender),
        is_held=situation.held.holds(provider, sender, address),
    )


def _topic_state(reader: readers.Reader, topic_id: int | None, channel: str, situation: Situation) -> TopicState:
    """Return what those whose consent is asked say of the topic; of several the one who wants least."""
    if topic_id is None:
        return TopicState.NONE
    states = {situation.topics.get((pk, topic_id, channel), TopicState.NONE) for pk in reader.ids}
    return next((state for state in (TopicState.LEFT, TopicState.NOT_JOINED) if state in states), TopicState.OPEN)


def _consent(said: Sequence[permission.Standing], channel: str) -> policy.ConsentState:
    """Return what is on record of those whose consent is asked; of several what was ended counts most."""
    states = {one.consent(channel) for one in said}
    order = (policy.ConsentState.ENDED, policy.ConsentState.GIVEN)
    return next((state for state in order if state in states), policy.ConsentState.NOT_SAID)


def _is_untracked(message: Message, situation: Situation) -> bool:
    return situation.standings.get(message.profile_id, permission.SAID_NOTHING).untracked


def _state(provider: Provider | None) -> ProviderState:
    if provider is None:
        return ProviderState.MISSING
    return ProviderState.READY if provider.enabled else ProviderState.DISABLED


def mentions(content: Mapping[str, Any], name: str) -> bool:
    """Return whether a template shows the link of this name: signing costs, and most show none but one."""
    return any(name in text for text in content_texts(content))


def _html(rendered: Rendered, message: Message, provider: Provider, situation: Situation) -> str:
    html, limits = rendered.html, situation.limits
    if html and limits.utm_source:
        campaign = str(message.labels.get("campaign") or message.labels.get("template") or "")
        tags = {"utm_source": limits.utm_source, "utm_medium": message.channel, "utm_campaign": campaign}
        html = links.tagged(html, {name: text for name, text in tags.items() if text})
    if KINDS[provider.kind].tracks or not html or _is_untracked(message, situation):
        return html
    return links.track(html, message.public_id)


def _headers(message: Message, sender: str, unsubscribe_url: str) -> dict[str, str]:
    """Return the mail's own headers; the Message-ID is the same for every try (RFC 8058 for the other two)."""
    domain = parseaddr(sender)[1].rpartition("@")[2] or "localhost"
    headers = {"Message-ID": f"<{message.public_id}@{domain}>"}
    if unsubscribe_url:
        headers[UNSUBSCRIBE] = f"<{unsubscribe_url}>"
        headers["List-Unsubscribe-Post"] = "List-Unsubscribe=One-Click"
    return headers
