"""Double opt-in: whoever is said to want a topic is asked by a mail, and is subscribed once they say yes there.

The mail is a template like any other, made when it is first needed, so that it can be put into one's own words. Its
link leads to a page with a button: programs that follow links in mails confirm nothing.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from datetime import datetime, timedelta

from django.db import transaction

from events import present
from messaging import links, outbox, versions
from messaging.models import Message, Priority, Purpose, Subscription, Template, TemplateTranslation
from messaging.public_words import in_language, topic_words

NAME = "Confirm a subscription"
KEY = "optin:"
# A link is good for so long.
VALID = timedelta(days=30)
# Whoever signs up somebody else again and again does not fill their inbox.
MOST_A_DAY = 3

HTML = """<p>{hello}</p>
<p>{asked}</p>
<p><a href="{{{{ trigger.confirm_url }}}}" style="display:inline-block;padding:12px 20px;border-radius:8px;\
background:#1f4fd1;color:#ffffff;text-decoration:none;font-weight:600">{button}</a></p>
<p>{ignore}</p>"""


def ask(subscription_ids: Sequence[int]) -> int:
    """Send a mail to each who has asked to subscribe, in the caller's transaction; return to how many."""
    if not subscription_ids:
        return 0
    asked = Subscription.objects.filter(pk__in=subscription_ids).select_related("profile", "topic").order_by("pk")
    version, now = versions.freeze(template()), present.now()
    sent = _sent_lately([one.profile_id for one in asked], now)
    drafts = []
    for one in asked:
        sent[one.profile_id] += 1
        if sent[one.profile_id] > MOST_A_DAY:
            continue
        name, _ = topic_words(one.topic, one.profile.language)
        url = links.confirm_url(one.pk)
        drafts.append(
            outbox.Draft(
                key=f"{KEY}{one.pk}:{sent[one.profile_id]}:{now:%Y%m%d}",
                profile_id=one.profile_id,
                template_version_id=version.pk,
                purpose=version.purpose,
                provider_id=version.provider_id,
                variables={"trigger": {"topic": name, "confirm_url": url}},
                is_test=one.profile.is_test,
                due_at=now,
                priority=Priority.URGENT,
            )
        )
    outbox.queue(drafts)
    return len(drafts)


def _sent_lately(profile_ids: Sequence[int], now: datetime) -> Counter[int]:
    """Return how many such mails people have had within a day."""
    lately = Message.objects.filter(
        profile__in=profile_ids, key__startswith=KEY, created_at__gt=now - timedelta(days=1)
    )
    return Counter(lately.values_list("profile_id", flat=True))


def waiting(subscription_id: int, now: datetime) -> Subscription | None:
    """Return what somebody may still confirm: it is young enough, and nothing has been said of it since."""
    found = Subscription.objects.select_related("profile", "topic").filter(pk=subscription_id).first()
    if found is None or found.at < now - VALID:
        return None
    since = Subscription.objects.filter(profile=found.profile_id, topic=found.topic_id, pk__gt=found.pk)
    if found.state != Subscription.State.PENDING or since.exists():
        return None
    return found


def template() -> Template:
    """Return the template that asks, made in every language we speak where there is none yet."""
    found = Template.objects.filter(name=NAME).first()
    if found:
        return found
    with transaction.atomic():
        made, new = Template.objects.get_or_create(
            name=NAME, defaults={"purpose": Purpose.TRANSACTIONAL, **_written("en")}
        )
        if new:
            TemplateTranslation.objects.bulk_create(
                TemplateTranslation(template=made, language=language, **_written(language))
                for language in in_language.known
                if language != "en"
            )
    return made


def _written(language: str) -> dict[str, str]:
    words = in_language(language)
    texts = {name: words[f"mail_{name}"] for name in ("hello", "asked", "button", "ignore")}
    text = "\n\n".join([texts["hello"], texts["asked"], f"{texts['button']}: {{{{ trigger.confirm_url }}}}"])
    return {"subject": words["mail_subject"], "html": HTML.format(**texts), "text": f"{text}\n\n{texts['ignore']}\n"}
