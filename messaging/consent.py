"""One person or one address at a time: leave, come back, strike off, let in again."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any

from django.db import transaction

from events import log, present
from events.models import Profile
from messaging import claims, feedback, lists, optin, permission, subscriptions
from messaging.models import Consent, Message, Subscription, Suppression, Topic, Unsubscription
from messaging.permission import Given
from messaging.subscriptions import Said


@transaction.atomic
def unsubscribe(profile_id: int, method: str, message: Message | None = None) -> bool:
    """Send a person no more marketing; return whether that is new. ``method`` as in ``Unsubscription.method``.

    With ``message`` its status and history say so as well. A test message unsubscribes nobody. What waits is stopped
    (``claims.call_back``); before the person is told, ``claims.let_finish`` waits for what is being handed over.
    """
    if message is not None and message.is_aside:
        return False
    now = present.now()
    claims.call_back([profile_id])
    new = bool(lists.unsubscribe([lists.Left(profile_id, method, message.pk if message else None)]))
    if message is not None:
        key = f"own:unsubscribed:{message.public_id}:{now.timestamp():.6f}"
        feedback.record(
            [feedback.Report("unsubscribed", key, now, message_public_id=str(message.public_id), method=method)]
        )
    elif new:
        log.append([log.Entry(profile_id, "Email Unsubscribed", {"method": method}, now)])
    return new


@transaction.atomic
def resubscribe(profile_id: int) -> bool:
    """Send a person marketing again; return whether they had left, be it in a former life that was erased."""
    email = Profile.objects.values_list("email", flat=True).get(pk=profile_id)
    remembered = Suppression.objects.filter(cause=Suppression.Cause.LEFT, address__in=lists.forms(email))
    deleted = Unsubscription.objects.filter(profile=profile_id).delete()[0] + remembered.delete()[0]
    if deleted:
        log.append([log.Entry(profile_id, "Email Resubscribed", {}, present.now())])
    return bool(deleted)


def heed(leaves: Mapping[int, bool], **kwargs: Any) -> None:
    """Follow what an application says of people's consent, in its transaction. Three statements at most.

    It lets nobody back in who left by themselves: applications send the attribute along with everything else.
    """
    going = [lists.Left(profile_id, "application") for profile_id, leaving in leaves.items() if leaving]
    coming = {profile_id for profile_id, leaving in leaves.items() if not leaving}
    gone = lists.unsubscribe(going)
    back = lists.take_back(coming)
    now = present.now()
    said = [(profile_id, "Email Unsubscribed") for profile_id in sorted(gone)]
    said += [(profile_id, "Email Resubscribed") for profile_id in sorted(back)]
    log.append([log.Entry(profile_id, name, {"method": "application"}, now) for profile_id, name in said])


def heed_topics(topics: Mapping[int, Mapping[str, bool]], **kwargs: Any) -> None:
    """Follow what an application says of people's topics, in its transaction; topics that nobody knows say nothing."""
    known = _topics_by_name({name for wanted in topics.values() for name in wanted})
    subscriptions.note(
        Said(profile_id, known[name], STATES[wants], Subscription.Source.APPLICATION)
        for profile_id, wanted in topics.items()
        for name, wants in wanted.items()
        if name in known
    )


SUBSCRIBED = Subscription.State.SUBSCRIBED.value
STATES = {True: SUBSCRIBED, False: Subscription.State.UNSUBSCRIBED.value}


def _topics_by_name(names: Collection[str]) -> dict[str, int]:
    """Return the ids of topics by their short name, and as ``topic_<number>``. One statement."""
    found: dict[str, int] = {}
    for pk, slug in Topic.objects.values_list("pk", "slug"):
        found |= {f"topic_{pk}": pk, slug: pk}
    return {name: found[name] for name in names if name in found}


@transaction.atomic
def choose(profile_id: int, said: Sequence[Said]) -> int:
    """Note what a person says of topics, and stop what waits for them; return how much of it is new."""
    claims.call_back([profile_id])
    return subscriptions.note(said)


@transaction.atomic
def confirm(subscription_id: int) -> Subscription | None:
    """Subscribe who has asked to, now that they have confirmed it; None when there is nothing to be confirmed any more.

    It is a consent as well, and lets in again whoever had unsubscribed from everything: the page says so.
    """
    asked = optin.waiting(subscription_id, present.now())
    if asked is None:
        return None
    words = f"Confirmed by the mail that was sent when they asked on {asked.at:%Y-%m-%d at %H:%M} UTC"
    basis = f"{asked.basis}. {words}" if asked.basis else words
    page = Subscription.Source.PAGE.value
    said = Said(asked.profile_id, asked.topic_id, SUBSCRIBED, page, asked.channel, basis, confirmed=True)
    if not subscriptions.note([said]):
        return None
    resubscribe(asked.profile_id)
    detail = f"{words}: {asked.topic.name}"
    permission.note([Given(asked.profile_id, Consent.Basis.CONFIRMED, page, asked.channel, detail)])
    return asked


def suppress(
    address: str,
    cause: str = Suppression.Cause.MANUAL,
    detail: str = "",
    message: Message | None = None,
    channel: str = "email",
) -> None:
    """Write no more to ``address``, whoever it belongs to; one that is struck off already keeps its first cause."""
    lists.suppress([lists.Struck(address, cause, detail, message.pk if message else None, channel)])


def unsuppress(address: str, channel: str = "email") -> bool:
    """Allow messages to ``address`` again; return whether it was struck off."""
    deleted, _ = Suppression.objects.filter(channel=channel, address__in=lists.forms(address)).delete()
    return bool(deleted)
