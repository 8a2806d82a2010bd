"""The form of a provider: the fields of its kind, and secrets that go in and never come out."""

from __future__ import annotations

import re
from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.core.validators import validate_email
from unfold.widgets import (
    UnfoldAdminIntegerFieldWidget,
    UnfoldAdminPasswordToggleWidget,
    UnfoldAdminSelectWidget,
    UnfoldAdminTextInputWidget,
    UnfoldBooleanWidget,
)

from messaging import credentials, verification
from messaging.errors import CredentialsError
from messaging.models import Provider

Kind = Provider.Kind

# What may be shown, by kind; the names are those the channels read from ``Provider.settings``.
SETTINGS: dict[str, tuple[str, ...]] = {
    Kind.MAILBOX: (),
    Kind.SENDGRID: (verification.SETTING, "api_url"),
    Kind.POSTMARK: ("message_stream", "api_url"),
    Kind.SMTP: ("host", "port", "security"),
}
# Where secrets are sent to: whoever changes it must know the secrets, or could have them sent to himself.
DESTINATION = ("api_url", "host", "port")

ENVIRONMENT_NAME = re.compile(r"\$[A-Za-z_][A-Za-z0-9_]*")
# Their values must not end up at a mail server somebody else runs.
OWN_VARIABLES = {"SECRET_KEY", "ENCRYPTION_KEYS", "DATABASE_URL", "BROKER_URL", "CACHE_URL", "WEBHOOK_SECRET"}
LOST = "cannot be read any more: enter it anew"


def secret(label: str, widget: forms.Widget | None = None) -> forms.CharField:
    """Return a field whose value is typed in, or named as an environment variable, and never shown again."""
    widget = widget or UnfoldAdminPasswordToggleWidget({"autocomplete": "new-password"})
    text = "Typed in, it is stored encrypted. Written as $NAME, it is read from the environment variable NAME."
    return forms.CharField(label=label, required=False, max_length=2000, widget=widget, help_text=text)


def clearing(label: str) -> forms.BooleanField:
    return forms.BooleanField(label=f"Forget the {label}", required=False, widget=UnfoldBooleanWidget())


class ProviderForm(forms.ModelForm):  # type: ignore[type-arg]
    api_key = secret("API key")
    clear_api_key = clearing("API key")
    server_token = secret("Server API token")
    clear_server_token = clearing("server API token")
    username = secret("User name", UnfoldAdminTextInputWidget({"autocomplete": "off"}))
    clear_username = clearing("user name")
    password = secret("Password")
    clear_password = clearing("password")
    message_stream = forms.CharField(
        required=False, widget=UnfoldAdminTextInputWidget(), help_text="Empty: Postmark's default, “outbound”."
    )
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

    class Meta:
        model = Provider
        fields = ("name", "kind", "from_email", "enabled")
        help_texts = {"from_email": "For example: Acme &lt;hello@mail.acme.com&gt;"}

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if not self.instance.pk or "name" not in self.fields:
            return
        # Its messages are told apart by it: the mailbox shows those of its kind.
        self.fields["kind"].disabled = True
        for name in SETTINGS[self.instance.kind]:
            self.fields[name].initial = self.instance.settings.get(name)
        for name, words in stored(self.instance).items():
            self.fields[name].widget.attrs["placeholder"] = words

    def clean_from_email(self) -> str:
        sender: str = self.cleaned_data["from_email"].strip()
        match = re.fullmatch(r"[^<>\r\n]*<([^<>]+)>|([^<>\s]+)", sender)
        if not match:
            raise ValidationError("Write an address, or a name with an address: Acme <hello@mail.acme.com>")
        validate_email(match[1] or match[2])
        return sender

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
        if kind == Kind.SMTP and not cleaned.get("host"):
            self.add_error("host", "Which server takes the mail?")
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
        if not value and not kept and name not in credentials.OPTIONAL:
            self.add_error(name, f"{credentials.SECRETS[kind][name]} is needed.")

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
