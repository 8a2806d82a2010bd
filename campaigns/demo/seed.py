"""Fill an installation with the demo: log-in, source, mails, campaigns, a few people, segments of them.

May run again at any time: what is there stays, campaigns and templates that somebody has edited are not set back.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from django.conf import settings
from django.contrib.auth.models import User
from django.db import transaction
from django.utils import timezone

from campaigns import publishing
from campaigns.demo import audiences, mails, people
from campaigns.demo.campaigns import DemoCampaign, demo_campaigns
from campaigns.models import Campaign
from events.audit import Actor
from events.computed import keeping as computed
from events.ingest import ingest
from events.models import ApiToken, ComputedTrait, Identity, Segment, Source, SourceKey, hash_key
from events.segments import keeping as segments
from messaging.models import Layout, Provider, SendingLimits, Template

SOURCE = "Demo shop"
HOOK = "Demo webhook"
SENDER = "Acme Projects <hello@acme.example>"
ADDRESS = "Acme Projects, 1 Example Street, 1010 Exampletown"


@dataclass(frozen=True, slots=True)
class Secrets:
    """Log-in and keys that the demo is to have."""

    admin_user: str
    admin_password: str
    write_key: str
    site_id: str
    api_key: str
    api_token: str
    hook: str

    @classmethod
    def of(cls, environ: Mapping[str, str]) -> Secrets:
        """Read the environment. Raises KeyError with the name that is missing."""
        names = ("ADMIN_USER", "ADMIN_PASSWORD", "WRITE_KEY", "SITE_ID", "API_KEY", "API_TOKEN", "HOOK")
        return cls(*(environ[name] for name in names))


@transaction.atomic
def seed(secrets: Secrets) -> None:
    """Make what is missing."""
    user = _user(secrets)
    source = _source(secrets)
    _hook(secrets.hook)
    ApiToken.objects.get_or_create(key_hash=hash_key(secrets.api_token), defaults={"label": "Demo", "created_by": user})
    _provider()
    _sender()
    templates = _templates()
    for wanted in demo_campaigns(templates, settings.FALLBACK_TIME_ZONE):
        _campaign(wanted, user)
    if not Identity.objects.filter(kind=Identity.Kind.USER, value=people.PEOPLE[0][0]).exists():
        now = timezone.now()
        ingest(source, people.items(now), now)
        Source.objects.filter(pk=source.pk).update(last_event_at=now)
        _audiences(Actor.of_user(user))


def _user(secrets: Secrets) -> User:
    """Return the administrator. A password chosen in the admin stays, unless all secrets have been made anew.

    Password and write key come from one file: a known key spares the check of the password, which is slow on purpose.
    """
    user = User.objects.filter(username=secrets.admin_user).first()
    if user is None:
        return User.objects.create_superuser(secrets.admin_user, "admin@example.com", secrets.admin_password)
    if not SourceKey.objects.filter(key_hash=hash_key(secrets.write_key)).exists():
        user.set_password(secrets.admin_password)
        user.save(update_fields=["password"])
    return user


def _source(secrets: Secrets) -> Source:
    source, _ = Source.objects.update_or_create(name=SOURCE, defaults={"site_id": secrets.site_id})
    _key(source, SourceKey.Kind.PUBLIC, "Web page", secrets.write_key)
    _key(source, SourceKey.Kind.SECRET, "Server", secrets.api_key)
    return source


def _hook(slug: str) -> None:
    Source.objects.update_or_create(
        name=HOOK,
        defaults={"slug": slug},
        create_defaults={"slug": slug, "site_id": slug, "kind": Source.Kind.WEBHOOK},
    )


def _key(source: Source, kind: SourceKey.Kind, label: str, text: str) -> None:
    if not SourceKey.objects.filter(key_hash=hash_key(text)).exists():
        key = SourceKey(source=source, kind=kind, label=label)
        key.set_key(text)
        key.save()


def _provider() -> None:
    if not Provider.objects.filter(is_default=True).exists():
        Provider.objects.get_or_create(
            name="Mailbox",
            defaults={"kind": Provider.Kind.MAILBOX, "from_email": SENDER, "is_default": True},
        )


def _sender() -> None:
    SendingLimits.objects.get_or_create(pk=SendingLimits.ONLY, defaults={"postal_address": ADDRESS})


def _templates() -> dict[str, int]:
    layout, _ = Layout.objects.get_or_create(
        name=mails.LAYOUT, defaults={"html": mails.LAYOUT_HTML, "text": mails.LAYOUT_TEXT}
    )
    made = [
        Template.objects.get_or_create(
            name=mail.name,
            defaults={
                "layout": layout,
                "subject": mail.subject,
                "preheader": mail.preheader,
                "html": mail.html,
            },
        )
        for mail in mails.MAILS
    ]
    return {template.name: template.pk for template, _ in made}


def _audiences(actor: Actor) -> None:
    """Make the segments and computed traits that are missing."""
    for segment in audiences.segments():
        if not Segment.objects.filter(slug=segment.slug).exists():
            segments.save(segment, {"name", "slug", "description", "condition"})
    for trait in audiences.computed_traits():
        if not ComputedTrait.objects.filter(name=trait.name).exists():
            computed.save(trait, actor)


def _campaign(wanted: DemoCampaign, user: User) -> None:
    campaign, made = Campaign.objects.get_or_create(
        slug=wanted.slug,
        defaults={"name": wanted.name, "description": wanted.description, "draft": dict(wanted.draft)},
    )
    if made:
        publishing.publish(campaign, user, "The demo's campaign, as delivered.")
