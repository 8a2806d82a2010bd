"""One person or one address at a time: leave, come back, strike off, let in again."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from django.db import transaction

from events import log, present
from events.models import Profile
from messaging import feedback, lists, subscriptions
from messaging.models import Message, Subscription, Suppression, Topic, Unsubscription


@transaction.atomic
def unsubscribe(profile_id: int, method: str, message: Message | None = None) -> bool:
    """Send a person no more marketing; return whether that is new. ``method`` as in ``Unsubscription.method``.

    With ``message`` its status and history say so as well. A test message unsubscribes nobody.
    """
    if message is not None and message.is_aside:
        return False
    now = present.now()
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
        subscriptions.Said(profile_id, known[name], STATES[wants], Subscription.Source.APPLICATION)
        for profile_id, wanted in topics.items()
        for name, wants in wanted.items()
        if name in known
    )


STATES = {True: Subscription.State.SUBSCRIBED, False: Subscription.State.UNSUBSCRIBED}


def _topics_by_name(names: Collection[str]) -> dict[str, int]:
    """Return the ids of topics by their short name, and as ``topic_<number>``. One statement."""
    found: dict[str, int] = {}
    for pk, slug in Topic.objects.values_list("pk", "slug"):
        found |= {f"topic_{pk}": pk, slug: pk}
    return {name: found[name] for name in names if name in found}


def suppress(
    address: str, cause: str = Suppression.Cause.MANUAL, detail: str = "", message: Message | None = None
) -> None:
    """Write no more to ``address``, whoever it belongs to; one that is struck off already keeps its first cause."""
    lists.suppress([lists.Struck(address, cause, detail, message.pk if message else None)])


def unsuppress(address: str) -> bool:
    """Allow mail to ``address`` again; return whether it was struck off."""
    deleted, _ = Suppression.objects.filter(channel="email", address__in=lists.forms(address)).delete()
    return bool(deleted)
