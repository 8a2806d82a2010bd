"""The form of a provider: the fields of its kind, and secrets that go in and never come out."""

from __future__ import annotations

import json
import re
from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.core.validators import validate_email
from unfold.widgets import (
    UnfoldAdminIntegerFieldWidget,
    UnfoldAdminPasswordToggleWidget,
    UnfoldAdminSelectWidget,
    UnfoldAdminTextareaWidget,
    UnfoldAdminTextInputWidget,
    UnfoldBooleanWidget,
)

from messaging import credentials, verification
from messaging.channels import sms
from messaging.errors import CredentialsError
from messaging.kinds import KINDS, OPTIONAL
from messaging.models import Provider
from messaging.names import ChannelName

# What may be shown, by kind; the names are those the channels read from ``Provider.settings``.
SETTINGS: dict[str, tuple[str, ...]] = {name: kind.settings for name, kind in KINDS.items()}
# Where secrets are sent to: whoever changes it must know the secrets, or could have them sent to himself.
DESTINATION = ("api_url", "gateway_url", "host", "port")

ENVIRONMENT_NAME = re.compile(r"\$[A-Za-z_][A-Za-z0-9_]*")
# Their values must not end up at a mail server somebody else runs.
OWN_VARIABLES = {"SECRET_KEY", "ENCRYPTION_KEYS", "DATABASE_URL", "BROKER_URL", "CACHE_URL", "WEBHOOK_SECRET"}
# Every secret that any kind has.
SECRETS = {name: label for kind in KINDS.values() for name, label in kind.secrets.items()}
NEEDED = {"host": "Which server takes the mail?", "gateway_url": "Where are messages posted to?"}
SMS_SENDER = re.compile(r"\+[1-9]\d{6,14}|MG[0-9a-f]{32}|[A-Za-z0-9 ]{1,11}|\d{3,8}")
LOST = "cannot be read any more: enter it anew"


def secret(label: str, widget: forms.Widget | None = None) -> forms.CharField:
    """Return a field whose value is typed in, or named as an environment variable, and never shown again."""
    widget = widget or UnfoldAdminPasswordToggleWidget({"autocomplete": "new-password"})
    text = "Typed in, it is stored encrypted. Written as $NAME, it is read from the environment variable NAME."
    return forms.CharField(label=label, required=False, max_length=2000, widget=widget, help_text=text)


def line(label: str, help_text: str = "") -> forms.CharField:
    return forms.CharField(
        label=label, required=False, max_length=1000, widget=UnfoldAdminTextInputWidget(), help_text=help_text
    )


def clearing(label: str) -> forms.BooleanField:
    return forms.BooleanField(label=f"Forget the {label}", required=False, widget=UnfoldBooleanWidget())


SECRET_FIELDS = {"username": lambda label: secret(label, UnfoldAdminTextInputWidget({"autocomplete": "off"}))}


class ProviderForm(forms.ModelForm):  # type: ignore[type-arg]
    # A field for each secret of any kind, and one to forget it.
    for _name, _label in SECRETS.items():
        vars()[_name] = SECRET_FIELDS.get(_name, secret)(_label)
        vars()[f"clear_{_name}"] = clearing(_label[:1].lower() + _label[1:] if _label[1:2].islower() else _label)
    message_stream = line("Message stream", "Empty: Postmark's default, “outbound”.")
    sender_domain = line("Sender domain", "As the service knows it, such as mg.acme.com.")
    region = line("Region", "Such as eu-west-1, or fr-par at Scaleway.")
    subaccount = line("Subaccount", "Empty: the account itself.")
    project_id = line("Project id")
    gateway_url = line("Gateway address", "Where messages are posted to, as JSON.")
    gateway_body = forms.CharField(
        label="What is posted",
        required=False,
        widget=UnfoldAdminTextareaWidget({"rows": 3, "spellcheck": "false", "placeholder": sms.GATEWAY_BODY}),
        help_text="JSON; {to}, {from}, {text} and {id} are filled in. Empty: as shown. "
        "An answer with “id” in it is kept as the gateway's id of the message.",
    )
    vapid_public = line("Public key", "For the page of your application; made when the connection is checked.")
    api_url = forms.URLField(
        label="API address",
        required=False,
        assume_scheme="https",
        widget=UnfoldAdminTextInputWidget(),
        help_text="Empty: the service's own. Another one is for its European servers, or for tests.",
    )
    webhook_key = forms.CharField(
        label="Webhook verification key",
        required=False,
        widget=UnfoldAdminTextInputWidget(),
        help_text="From SendGrid's page of the event webhook, if you switch on its signature. "
        "Reports that it did not sign are then refused.",
    )
    host = forms.CharField(label="Server", required=False, widget=UnfoldAdminTextInputWidget())
    port = forms.IntegerField(
        required=False,
        min_value=1,
        max_value=65535,
        widget=UnfoldAdminIntegerFieldWidget(),
        help_text="Empty: the usual one of the encryption, 587, 465 or 25.",
    )
    security = forms.ChoiceField(
        label="Encryption",
        required=False,
        choices=[("starttls", "STARTTLS (usual)"), ("tls", "TLS from the start"), ("none", "None")],
        widget=UnfoldAdminSelectWidget(),
    )

    limits = forms.CharField(
        label="Messages a minute, by recipient domain",
        required=False,
        widget=UnfoldAdminTextareaWidget({"rows": 3, "placeholder": "gmail.com 100"}),
        help_text="One domain a line, with a number. Empty: none has a limit of its own.",
    )

    class Meta:
        model = Provider
        fields = (
            "name",
            "kind",
            "from_email",
            "enabled",
            "fallback",
            "per_second",
            "warm_up_from",
            "warm_up_first",
        )
        help_texts = {"from_email": "For example: Acme &lt;hello@mail.acme.com&gt;"}

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for name in {"from_email", "warm_up_first"} & self.fields.keys():
            self.fields[name].required = False
        if not self.instance.pk or "name" not in self.fields:
            return
        # Its messages are told apart by it: the mailbox shows those of its kind.
        self.fields["kind"].disabled = True
        self.fields["limits"].initial = "\n".join(
            f"{name} {rate}" for name, rate in self.instance.domain_limits.items()
        )
        for name in SETTINGS[self.instance.kind]:
            self.fields[name].initial = self.instance.settings.get(name)
        for name, words in stored(self.instance).items():
            self.fields[name].widget.attrs["placeholder"] = words

    def _check_sender(self, channel: str, sender: str) -> None:
        """Refuse a sender that its channel cannot have."""
        if channel == ChannelName.SMS and not SMS_SENDER.fullmatch(sender):
            raise ValidationError("Write a number such as +15005550006, a name of up to 11 letters, or MG… at Twilio.")
        if channel not in (ChannelName.EMAIL, ChannelName.PUSH):
            return
        match = re.fullmatch(r"[^<>\r\n]*<([^<>]+)>|([^<>\s]+)", sender)
        if not match:
            raise ValidationError("Write an address, or a name with an address: Acme <hello@mail.acme.com>")
        validate_email(match[1] or match[2])

    def clean_from_email(self) -> str:
        sender: str = self.cleaned_data["from_email"].strip()
        return sender

    def clean_warm_up_first(self) -> int:
        return int(self.cleaned_data["warm_up_first"] or Provider._meta.get_field("warm_up_first").default)

    def clean_limits(self) -> dict[str, int]:
        """Read ``gmail.com 100``, one a line."""
        limits: dict[str, int] = {}
        for number, text in enumerate(self.cleaned_data["limits"].splitlines(), 1):
            if not text.strip():
                continue
            domain, _, rate = text.strip().lower().replace(":", " ").partition(" ")
            if "." not in domain or not rate.strip().isdecimal() or not int(rate):
                raise ValidationError(f"Line {number}: write a domain and a number, such as gmail.com 100.")
            limits[domain] = int(rate)
        return limits

    def clean_gateway_body(self) -> str:
        text: str = self.cleaned_data["gateway_body"].strip()
        try:
            if text:
                json.loads(text)
        except ValueError as error:
            raise ValidationError(f"This is not JSON: {error}") from error
        return text

    def clean_webhook_key(self) -> str:
        key: str = self.cleaned_data["webhook_key"].strip()
        try:
            if key:
                verification.load(key)
        except ValueError as error:
            raise ValidationError("This is not a verification key: copy it whole from SendGrid.") from error
        return key

    def clean(self) -> dict[str, Any] | None:
        cleaned = super().clean() or {}
        kind = cleaned.get("kind")
        if kind not in SETTINGS:
            return cleaned
        for name in credentials.SECRETS[kind]:
            self._check_secret(kind, name, cleaned)
        for name in KINDS[kind].needs:
            if not cleaned.get(name) and name not in self.errors:
                self.add_error(name, NEEDED.get(name, "This is needed."))
        try:
            self._check_sender(KINDS[kind].channel, (cleaned.get("from_email") or "").strip())
        except ValidationError as error:
            self.add_error("from_email", error)
        self._check_stand_in(kind, cleaned.get("fallback"))
        self._check_destination(cleaned)
        return cleaned

    def _check_secret(self, kind: str, name: str, cleaned: dict[str, Any]) -> None:
        value = cleaned.get(name, "").strip()
        if value.startswith("$"):
            if not ENVIRONMENT_NAME.fullmatch(value):
                self.add_error(name, "After $ the name of an environment variable is expected.")
            elif value[1:] in OWN_VARIABLES:
                self.add_error(name, "This variable is Cuebird's own: choose another one.")
        kept = name in self._stored() and not cleaned.get(f"clear_{name}")
        if not value and not kept and name not in OPTIONAL:
            self.add_error(name, f"{credentials.SECRETS[kind][name]} is needed.")

    def _check_stand_in(self, kind: str, stand_in: Provider | None) -> None:
        if stand_in is None:
            return
        if stand_in.channel != KINDS[kind].channel:
            self.add_error("fallback", "It carries another kind of messages.")
        if stand_in.pk == self.instance.pk or stand_in.fallback_id:
            self.add_error("fallback", "A stand-in is another provider that has none itself.")

    def _check_destination(self, cleaned: dict[str, Any]) -> None:
        """Ask for the secrets again when they would go elsewhere: they must not be carried off by a new address."""
        moved = [name for name in DESTINATION if name in self.changed_data and name in SETTINGS[cleaned["kind"]]]
        if not moved:
            return
        for name in self._stored():
            if not cleaned.get(name) and not cleaned.get(f"clear_{name}"):
                self.add_error(name, "Mail would go to another server now: enter this again.")

    def _stored(self) -> dict[str, str]:
        return stored(self.instance) if self.instance.pk else {}

    def save(self, commit: bool = True) -> Any:
        provider = self.instance
        values = {name: self.cleaned_data.get(name) for name in SETTINGS[provider.kind]}
        provider.settings = {name: value for name, value in values.items() if value not in ("", None)}
        provider.domain_limits = self.cleaned_data.get("limits") or {}
        credentials.store(provider, self._given())
        return super().save(commit)

    def _given(self) -> dict[str, str]:
        """Return the secrets that were typed in, "" for those to be forgotten; the others are kept."""
        given: dict[str, str] = {}
        for name in credentials.SECRETS[self.instance.kind]:
            if self.cleaned_data.get(name):
                given[name] = self.cleaned_data[name]
            elif self.cleaned_data.get(f"clear_{name}"):
                given[name] = ""
        return given


def stored(provider: Provider) -> dict[str, str]:
    """Say for each secret of ``provider`` that is set where it comes from; unreadable ones say so."""
    try:
        return credentials.describe(provider)
    except CredentialsError:
        return dict.fromkeys(credentials.SECRETS[provider.kind], LOST)
