"""The fields of steps that do something: send, call, set traits, track events …"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from django import forms

from campaigns.admin.card_forms import (
    NAME,
    CardForm,
    Choices,
    NumberText,
    SpanForm,
    event_field,
    offer,
    seconds_field,
    unit_field,
)
from campaigns.engine.boxes import MAX_TIMES, METHODS
from campaigns.models import Campaign
from messaging.approval import KEEP
from messaging.models import Topic

LIQUID = "One name: value a line. Liquid is filled in: {{ trigger.total }}, {{ customer.plan }}."


class ValuesField(forms.CharField):
    """Names with their values, one a line: ``plan: pro``. What is JSON, such as ``3`` or ``null``, is meant so."""

    widget = forms.Textarea({"rows": 4, "spellcheck": "false", "autocomplete": "off"})

    def prepare_value(self, value: Any) -> Any:
        if not isinstance(value, dict):
            return value
        return "\n".join(f"{name}: {say_value(one)}" for name, one in value.items())

    def clean(self, value: Any) -> Any:
        found = {}
        for line in str(super().clean(value)).splitlines():
            name, colon, said = line.partition(":")
            if not line.strip():
                continue
            if not colon or not name.strip():
                raise forms.ValidationError(f"Write name: value in each line; “{line.strip()[:60]}” is not.")
            found[name.strip()] = read_value(said.strip())
        return found


def say_value(value: Any) -> str:
    """Return a value as it is typed."""
    is_plain = isinstance(value, str) and value == value.strip() and "\n" not in value and read_value(value) == value
    return str(value) if is_plain else json.dumps(value, ensure_ascii=False)


def read_value(text: str) -> Any:
    """Return what was typed as a value: what is JSON, such as ``3`` or ``null``, is meant so, the rest is a text."""
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return text


class TextsField(ValuesField):
    """Names with texts, one a line."""

    def clean(self, value: Any) -> Any:
        return {name: one if isinstance(one, str) else json.dumps(one) for name, one in super().clean(value).items()}


class UpdateForm(CardForm):
    traits = ValuesField(label="Traits", required=False, help_text=f"{LIQUID} null takes a trait away.")
    name = NAME


class TrackForm(CardForm):
    event = event_field("Name of the event")
    properties = ValuesField(label="Properties", required=False, help_text=LIQUID)
    name = NAME


class CallForm(SpanForm):
    fields_of_draft = {"seconds": "amount"}
    method = forms.ChoiceField(label="Method", choices=[(method, method) for method in METHODS])
    url = forms.CharField(
        label="Address",
        required=False,
        max_length=2_000,
        widget=forms.TextInput({"autocomplete": "off", "inputmode": "url", "placeholder": "https://example.com/hook"}),
    )
    body = forms.CharField(
        label="Body",
        required=False,
        strip=False,
        widget=forms.Textarea({"rows": 5, "spellcheck": "false"}),
        help_text="Liquid is filled in. Write {{ trigger | json }} for all that the event said.",
    )
    headers = TextsField(label="Headers", required=False, help_text="One name: value a line.")
    amount = seconds_field("Tried for", help_text="Until it is answered; then the journey goes on either way.")
    unit = unit_field()
    name = NAME

    def clean_body(self) -> str:
        # Browsers send line breaks as CR LF.
        body: str = self.cleaned_data["body"]
        return body.replace("\r\n", "\n")


class SubscribeForm(CardForm):
    topic = forms.ChoiceField(label="Topic", required=False)
    subscribed = forms.TypedChoiceField(
        label="The person",
        coerce=lambda value: value == "True",
        choices=[("True", "subscribes to it"), ("False", "unsubscribes from it")],
    )
    name = NAME

    def prepare(self) -> None:
        offer(self, "topic", "Choose a topic …", list(Topic.objects.values_list("slug", "name")))


class StartForm(CardForm):
    campaign = forms.ChoiceField(
        label="Campaign",
        required=False,
        help_text="Its conditions, and how often somebody may enter it, hold here as well.",
    )
    properties = ValuesField(label="What it knows as its event", required=False, help_text=LIQUID)
    name = NAME

    def prepare(self) -> None:
        offer(self, "campaign", "Choose a campaign …", list(Campaign.objects.values_list("slug", "name")))


class GoToForm(CardForm):
    to = forms.ChoiceField(label="Back to", required=False)
    times = forms.IntegerField(label="At most so many times", min_value=1, max_value=MAX_TIMES, widget=NumberText)
    name = NAME

    def __init__(self, *args: Any, earlier: Choices | None = None, **options: Any) -> None:
        self.earlier = earlier or []
        super().__init__(*args, **options)

    def prepare(self) -> None:
        offer(self, "to", "Choose a step …", self.earlier)


SENDINGS = {
    "automatic": "By itself",
    "draft": "As a draft: somebody approves each mail first",
    "never": "Not at all: only note what would have been sent",
}


class SendForm(CardForm):
    template = forms.TypedChoiceField(label="Template", required=False, coerce=int, empty_value=None)
    sending = forms.ChoiceField(
        label="How it goes out",
        required=False,
        choices=list(SENDINGS.items()),
        help_text=f"Drafts wait under Messages, {KEEP.days} days at most. The journey goes on meanwhile, as after "
        "any mail.",
    )
    name = NAME

    @classmethod
    def read(cls, part: Mapping[str, Any]) -> dict[str, Any]:
        return {"sending": "automatic", **part}

    def clean_sending(self) -> str:
        return self.cleaned_data["sending"] or "automatic"

    def write(self, part: dict[str, Any]) -> None:
        super().write(part)
        if part.get("sending") == "automatic":
            # What nobody has changed does not stand in the definition.
            del part["sending"]

    def prepare(self) -> None:
        field = self.fields["template"]
        assert isinstance(field, forms.TypedChoiceField)
        field.choices = [("", "Choose a template …"), *self.templates]
