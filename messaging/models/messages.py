"""What is said to whom: templates, providers, the outbox and what became of each message."""

from __future__ import annotations

import uuid
from typing import Any, ClassVar

from django.db import models
from django.db.models.functions import Now

from events.models import Profile
from messaging import kinds
from messaging.names import TO_NO_PERSON, ChannelName
from messaging.reasons import Reason
from messaging.states import Status

# Messages with such a key are tries of a template: sent to the author's address, and no part of anybody's history.
TEST_KEY = "test:"


class Purpose(models.TextChoices):
    """Why a message is written: the law treats the two differently."""

    MARKETING = "marketing", "Marketing (needs consent, carries an unsubscribe link)"
    TRANSACTIONAL = "transactional", "Transactional (receipts, passwords: sent in any case)"


class Priority(models.IntegerChoices):
    """How many hours of head start a message has: it leaves before all that fell due less than that much earlier.

    Nothing starves by it: what is low waits no longer than the difference.
    """

    URGENT = 24, "Urgent"
    HIGH = 4, "High"
    NORMAL = 0, "Normal"
    LOW = -4, "Low"


class Provider(models.Model):
    """An account that carries messages: the built-in mailbox, SendGrid, Postmark, an SMTP server.

    ``settings`` holds what may be shown, ``secrets`` an encrypted JSON object; see ``messaging.credentials``.
    """

    class Kind:
        """Those that code speaks of by name; ``messaging.kinds`` has them all."""

        MAILBOX = "mailbox"
        SENDGRID = "sendgrid"
        POSTMARK = "postmark"
        SMTP = "smtp"

    name = models.CharField(max_length=100, unique=True)
    kind = models.CharField(max_length=20, choices=kinds.choices, default=Kind.MAILBOX)
    channel = models.CharField(
        max_length=20, choices=ChannelName.choices(), default="email", db_default="email", editable=False
    )
    from_email = models.CharField(
        max_length=254,
        blank=True,
        verbose_name="sender",
        help_text="For example: Acme <hello@mail.acme.com>; of text messages a number or a name.",
    )
    settings = models.JSONField(default=dict, blank=True)
    secrets = models.TextField(blank=True, editable=False)
    is_default = models.BooleanField(
        default=False, help_text="Used by every template of its channel that names no provider."
    )
    enabled = models.BooleanField(default=True)
    fallback = models.ForeignKey(
        "self",
        null=True,
        blank=True,
        on_delete=models.SET_NULL,
        verbose_name="stand-in",
        help_text="Carries messages while this one is out of order, or has reached what it may send today.",
    )
    per_second = models.PositiveIntegerField(
        null=True, blank=True, verbose_name="messages a second, at most", help_text="Empty: as many as it takes."
    )
    domain_limits = models.JSONField(
        default=dict, blank=True, db_default={}, help_text="Messages a minute, at most, by recipient domain."
    )
    warm_up_from = models.DateField(
        null=True,
        blank=True,
        verbose_name="warm up from",
        help_text="A new sender is trusted slowly: from this day on it sends a little more each day.",
    )
    warm_up_first = models.PositiveIntegerField(
        default=50, db_default=50, verbose_name="messages on the first day", help_text="Half as many again each day."
    )
    created_at = models.DateTimeField(auto_now_add=True)
    checked_at = models.DateTimeField(null=True, blank=True, editable=False)
    check_ok = models.BooleanField(null=True, editable=False)
    check_message = models.TextField(blank=True, editable=False)

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["channel"], condition=models.Q(is_default=True), name="one_default_provider"
            )
        ]

    def __str__(self) -> str:
        return self.name

    def save(self, *args: Any, **kwargs: Any) -> None:
        self.channel = kinds.KINDS[self.kind].channel
        super().save(*args, **kwargs)


class Topic(models.Model):
    """What messages are about, as people subscribe to it or leave it. Its ``slug`` stays when it is renamed."""

    class Joining(models.TextChoices):
        OPT_OUT = "opt_out", "Everybody, until they unsubscribe"
        OPT_IN = "opt_in", "Only those who have subscribed"
        CONFIRMED = "confirmed", "Only those who have subscribed and confirmed it by a mail (double opt-in)"

    slug = models.SlugField(
        max_length=60,
        unique=True,
        verbose_name="short name",
        help_text="What conditions and programs call it, such as newsletter. It stays when the topic is renamed.",
    )
    name = models.CharField(max_length=100, unique=True)
    description = models.TextField(blank=True, help_text="What people get who subscribe, in words for them.")
    joining = models.CharField(
        max_length=12, choices=Joining, default=Joining.OPT_OUT, db_default="opt_out", verbose_name="who gets it"
    )
    position = models.PositiveSmallIntegerField(default=0, db_default=0, help_text="Smaller numbers stand first.")
    archived = models.BooleanField(
        default=False, db_default=False, help_text="No longer offered. What people have said of it still counts."
    )
    created_at = models.DateTimeField(db_default=Now(), editable=False)

    class Meta:
        ordering: ClassVar = ["position", "name"]

    def __str__(self) -> str:
        return self.name


class Subscription(models.Model):
    """What somebody has said of a topic, once: of several the newest counts, and none is ever changed.

    ``channel`` is the channel it was said of, or "all". Of a channel the newest counts that was said of it or of all.
    """

    class State(models.TextChoices):
        SUBSCRIBED = "subscribed", "Subscribed"
        UNSUBSCRIBED = "unsubscribed", "Unsubscribed"
        PENDING = "pending", "Asked to subscribe, not confirmed yet"

    class Channel(models.TextChoices):
        ALL = "all", "All channels"
        EMAIL = "email", "Email"
        SMS = "sms", "SMS"
        PUSH = "push", "Push"
        IN_APP = "in_app", "In-app"

    class Source(models.TextChoices):
        PAGE = "page", "Said by the person on a page"
        MANUAL = "manual", "By hand"
        API = "api", "By the management API"
        APPLICATION = "application", "Said by an application along with attributes"
        CAMPAIGN = "campaign", "By a step of a campaign"
        IMPORT = "import", "By a file"

    profile = models.ForeignKey(Profile, on_delete=models.DO_NOTHING, db_index=False, related_name="subscriptions")
    topic = models.ForeignKey(Topic, on_delete=models.PROTECT, db_index=False, related_name="subscriptions")
    channel = models.CharField(max_length=20, choices=Channel, default=Channel.ALL, db_default="all")
    state = models.CharField(max_length=12, choices=State)
    source = models.CharField(max_length=20, choices=Source)
    basis = models.TextField(blank=True, default="", db_default="", help_text="What the consent rests on.")
    at = models.DateTimeField(db_default=Now())

    class Meta:
        indexes: ClassVar = [
            models.Index(fields=["profile", "topic", "-id"], name="subscription_newest"),
            models.Index(fields=["topic", "-id"], name="subscription_topic"),
        ]

    def __str__(self) -> str:
        return f"{self.profile} {self.state}: {self.topic}"


class Layout(models.Model):
    """The frame around a mail: logo, footer, address. ``{{ content }}`` marks where the template goes."""

    name = models.CharField(max_length=100, unique=True)
    html = models.TextField()
    text = models.TextField(blank=True, help_text="Frame of the plain-text part; {{ content }} marks the place.")
    updated_at = models.DateTimeField(auto_now=True)

    def __str__(self) -> str:
        return self.name


class Template(models.Model):
    """A message as its author edits it. Publishing a campaign freezes it into a ``TemplateVersion``."""

    class Markup(models.TextChoices):
        HTML = "html", "HTML"
        MJML = "mjml", "MJML (becomes HTML that every mail program shows alike)"

    name = models.CharField(max_length=100, unique=True)
    channel = models.CharField(
        max_length=20, choices=ChannelName.choices(), default=ChannelName.EMAIL, db_default="email"
    )
    purpose = models.CharField(max_length=20, choices=Purpose, default=Purpose.MARKETING)
    topic = models.ForeignKey(
        Topic,
        null=True,
        blank=True,
        on_delete=models.PROTECT,
        help_text="Marketing goes to nobody who has left the topic. Empty: it is about none.",
    )
    layout = models.ForeignKey(Layout, null=True, blank=True, on_delete=models.PROTECT)
    provider = models.ForeignKey(
        Provider, null=True, blank=True, on_delete=models.PROTECT, help_text="Empty: the default provider."
    )
    from_email = models.CharField(max_length=254, blank=True, verbose_name="sender", help_text="Empty: the provider's.")
    reply_to = models.CharField(max_length=254, blank=True)
    subject = models.TextField(blank=True, default="")
    preheader = models.TextField(blank=True, help_text="The line an inbox shows after the subject.")
    markup = models.CharField(
        max_length=10, choices=Markup, default=Markup.HTML, db_default="html", verbose_name="written in"
    )
    html = models.TextField(blank=True, default="", verbose_name="HTML")
    text = models.TextField(blank=True, help_text="Plain text. Empty: made from the HTML.")
    options = models.JSONField(
        default=dict, blank=True, db_default={}, help_text="What its channel has besides, such as url: texts by name."
    )
    created_at = models.DateTimeField(auto_now_add=True)
    updated_at = models.DateTimeField(auto_now=True)

    class Meta:
        ordering: ClassVar = ["name"]

    def __str__(self) -> str:
        return self.name

    def save(self, *args: Any, **kwargs: Any) -> None:
        if self.channel in TO_NO_PERSON:
            self.purpose = Purpose.TRANSACTIONAL
        super().save(*args, **kwargs)


class TemplateVersion(models.Model):
    """A frozen template: what a published campaign sends, whatever is edited afterwards.

    ``content`` has the keys subject, preheader, html, text, layout_html, layout_text, from_email, reply_to, channel;
    where there are any, ``options`` (texts by name), ``languages`` (the same by language) and ``feeds`` (names), and
    with ``compiled`` the HTML as it is rendered: snippets in place, MJML compiled, styles inlined.
    """

    template = models.ForeignKey(Template, on_delete=models.PROTECT, related_name="versions")
    number = models.PositiveIntegerField()
    purpose = models.CharField(max_length=20, choices=Purpose)
    topic = models.ForeignKey(Topic, null=True, blank=True, on_delete=models.PROTECT)
    provider = models.ForeignKey(Provider, null=True, blank=True, on_delete=models.PROTECT)
    content = models.JSONField()
    content_hash = models.CharField(max_length=64)
    note = models.TextField(blank=True, default="", db_default="", help_text="What has changed, and why.")
    created_by = models.CharField(max_length=254, blank=True, default="", db_default="")
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["template", "number"], name="template_version_number"),
            models.UniqueConstraint(fields=["template", "content_hash"], name="template_version_content"),
        ]

    def __str__(self) -> str:
        return f"{self.template} v{self.number}"


class Message(models.Model):
    """One thing to be said to one profile: the outbox row and, afterwards, the record of it.

    ``key`` is what the caller considers "the same message" (a journey's step and visit); the unique constraint is the
    promise that it is made once. Only ``messaging.outbox``, ``messaging.approval``, ``messaging.delivery`` and
    ``messaging.feedback`` write ``status``, along the table in ``messaging.states``.
    """

    public_id = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    key = models.CharField(max_length=120, unique=True)
    profile = models.ForeignKey(Profile, on_delete=models.DO_NOTHING, db_index=False, related_name="messages")
    template_version = models.ForeignKey(TemplateVersion, on_delete=models.PROTECT)
    purpose = models.CharField(max_length=20, choices=Purpose)
    channel = models.CharField(max_length=20, choices=ChannelName.choices(), default="email", db_default="email")
    provider = models.ForeignKey(Provider, null=True, blank=True, on_delete=models.PROTECT, db_index=False)
    variables = models.JSONField(
        default=dict, help_text="What the sender knew: trigger, event, journey, campaign. The customer is read fresh."
    )
    labels = models.JSONField(
        default=dict, db_default={}, help_text="What events about it carry: template, the sender's campaign and step."
    )
    unless = models.JSONField(null=True, blank=True, help_text="What makes it unwanted: see messaging.relevance.")
    trigger_event_id = models.BigIntegerField(null=True, blank=True, help_text="The event that it answers.")
    trigger_at = models.DateTimeField(null=True, blank=True, help_text="When that event happened.")
    is_test = models.BooleanField(default=False, db_default=False)
    status = models.CharField(max_length=12, choices=Status.choices(), default=Status.QUEUED, db_default="queued")
    reason = models.CharField(max_length=30, choices=Reason.choices(), blank=True, default="", db_default="")
    detail = models.TextField(blank=True, default="", db_default="", help_text="The error or the provider's words.")
    due_at = models.DateTimeField(db_default=Now())
    priority = models.SmallIntegerField(choices=Priority, default=Priority.NORMAL, db_default=0)
    attempts = models.PositiveSmallIntegerField(default=0, db_default=0)
    lease_until = models.DateTimeField(null=True, blank=True)
    called_at = models.DateTimeField(
        null=True, blank=True, help_text="When the provider was about to be called: before that nothing can be out."
    )
    admitted_at = models.DateTimeField(
        null=True, blank=True, help_text="When the frequency caps let it through: until it is settled it counts."
    )
    held_since = models.DateTimeField(null=True, blank=True, help_text="Since when a frequency cap holds it.")
    address = models.TextField(blank=True, default="", db_default="")
    redirected = models.BooleanField(
        default=False, db_default=False, help_text="It went to the test address instead of to the person."
    )
    subject = models.TextField(blank=True, default="", db_default="")
    provider_message_id = models.TextField(blank=True, default="", db_default="")
    approved_by = models.CharField(
        max_length=254, blank=True, default="", db_default="", help_text="Who let it go, where it was a draft."
    )
    approved_at = models.DateTimeField(null=True, blank=True)
    created_at = models.DateTimeField(db_default=Now())
    updated_at = models.DateTimeField(db_default=Now())
    sent_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        indexes: ClassVar = [
            models.Index(fields=["due_at", "id"], name="message_due", condition=models.Q(status="queued")),
            models.Index(
                models.Func(
                    "due_at",
                    "priority",
                    arg_joiner=") - ",
                    template="(timezone('UTC', %(expressions)s * interval '1 hour')",
                ),
                "due_at",
                "id",
                name="message_turn",
                condition=models.Q(status="queued"),
            ),
            models.Index(fields=["created_at"], name="message_draft", condition=models.Q(status="draft")),
            models.Index(fields=["lease_until"], name="message_leased", condition=models.Q(status="sending")),
            models.Index(fields=["profile", "-id"], name="message_profile"),
            models.Index(
                fields=["profile", "sent_at"],
                name="message_window",
                condition=models.Q(purpose="marketing") & ~models.Q(status__in=["skipped", "failed"]),
            ),
            models.Index(fields=["provider", "-id"], name="message_provider"),
            models.Index(
                fields=["provider_message_id"], name="message_provider_id", condition=~models.Q(provider_message_id="")
            ),
            models.Index(fields=["status", "-id"], name="message_status"),
            models.Index(fields=["address", "-id"], name="message_address", condition=~models.Q(address="")),
        ]

    def __str__(self) -> str:
        return self.subject or f"Message {self.pk}"

    @property
    def is_aside(self) -> bool:
        """Whether it is no part of the person's history and figures, and its links unsubscribe nobody.

        So it is with tries of a template, and with what went to the test address in the person's place.
        """
        return self.redirected or self.key.startswith(TEST_KEY)

    def news(self) -> dict[str, Any]:
        """Return the properties that every event about it has: ``message_id``, ``channel`` and its labels."""
        return {**self.labels, "message_id": str(self.public_id), "channel": self.channel}


class MessageBody(models.Model):
    """The rendered mail as it was handed to the provider; apart, so that the hot table stays narrow."""

    message = models.OneToOneField(Message, primary_key=True, on_delete=models.CASCADE, related_name="body")
    from_email = models.TextField()
    reply_to = models.TextField(blank=True, default="")
    html = models.TextField()
    text = models.TextField()
    headers = models.JSONField(default=dict)
    options = models.JSONField(default=dict, db_default={})

    def __str__(self) -> str:
        return f"Body of message {self.message_id}"


class DeliveryEvent(models.Model):
    """One report about a message, in anymail's words. ``event_key`` makes a repeated report harmless."""

    message = models.ForeignKey(Message, on_delete=models.CASCADE, db_index=False, related_name="delivery_events")
    type = models.CharField(max_length=20)
    event_key = models.CharField(max_length=150, unique=True)
    timestamp = models.DateTimeField()
    received_at = models.DateTimeField(db_default=Now())
    reason = models.CharField(max_length=30, blank=True, default="", help_text="Bounce kind in anymail's words.")
    description = models.TextField(blank=True, default="")
    mta_response = models.TextField(blank=True, default="")
    url = models.TextField(blank=True, default="")
    user_agent = models.TextField(blank=True, default="")
    machine = models.CharField(
        max_length=30, blank=True, default="", db_default="", help_text="Why a program and no person did this."
    )
    raw = models.JSONField(default=dict)

    class Meta:
        indexes: ClassVar = [models.Index(fields=["message", "timestamp"], name="delivery_message_time")]

    def __str__(self) -> str:
        return f"{self.type} of message {self.message_id}"


class Suppression(models.Model):
    """An address that must not be written to, and why. The cause *left* keeps off marketing only."""

    class Cause(models.TextChoices):
        BOUNCE = "bounce", "The mailbox does not exist"
        COMPLAINT = "complaint", "The recipient reported a message as spam"
        MANUAL = "manual", "Added by hand"
        LEFT = "left", "Has unsubscribed: gets no marketing"

    channel = models.CharField(max_length=20, default="email")
    address = models.TextField(help_text="In lower case; an erased person's as a digest, see messaging.lists.")
    cause = models.CharField(max_length=20, choices=Cause, default=Cause.MANUAL)
    detail = models.TextField(blank=True)
    message = models.ForeignKey(Message, null=True, blank=True, on_delete=models.SET_NULL)
    created_at = models.DateTimeField(db_default=Now(), editable=False)

    class Meta:
        constraints: ClassVar = [models.UniqueConstraint(fields=["channel", "address"], name="suppression_unique")]

    def __str__(self) -> str:
        return self.address

    def save(self, *args: Any, **kwargs: Any) -> None:
        self.address = self.address.strip().lower()
        super().save(*args, **kwargs)


class Unsubscription(models.Model):
    """A person who wants no more marketing messages."""

    profile = models.OneToOneField(
        Profile, primary_key=True, on_delete=models.DO_NOTHING, related_name="unsubscription"
    )
    message = models.ForeignKey(Message, null=True, blank=True, on_delete=models.SET_NULL)
    method = models.CharField(
        max_length=20,
        choices=[
            ("one_click", "One-click button of the mail program"),
            ("page", "Unsubscribe page"),
            ("api", "Management API"),
            ("provider", "Reported by the provider"),
            ("application", "Said by an application"),
            ("manual", "By hand"),
        ],
    )
    created_at = models.DateTimeField(db_default=Now(), editable=False)

    class Meta:
        indexes: ClassVar = [models.Index(fields=["-created_at"], name="unsubscription_newest")]

    def __str__(self) -> str:
        return f"{self.profile} unsubscribed"
