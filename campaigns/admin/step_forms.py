"""The fields of each card of the workflow editor: from the draft to the page and back.

A form checks only what it cannot store (a number that is none). What is missing or makes no sense is the engine's to
say: a draft may be half done.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from decimal import Decimal
from typing import Any, ClassVar
from zoneinfo import available_timezones

from django import forms

from campaigns.admin import words
from campaigns.engine.boxes import MAX_DAYS, MAX_TIMES, METHODS
from campaigns.engine.definition import LIMITS, MAX_AGE_HOURS, MAX_GRACE_MINUTES
from campaigns.models import Campaign
from messaging.models import Topic

RULES = {
    "once": "Once, ever",
    "always": "Each time the event happens (but never twice at a time)",
    "period": "At most once in a number of hours",
}
PRIORITIES = {
    "urgent": "Urgent: before all that fell due up to a day earlier",
    "high": "High: before normal ones that fell due up to 4 hours earlier",
    "normal": "Normal: in the order in which messages fall due",
    "low": "Low: lets normal ones of the next 4 hours go first",
}
NAME = forms.CharField(required=False, max_length=120, label="Name (optional)")
Choices = list[tuple[str, str]]


class NumberText(forms.TextInput):
    """A field for a number that keeps what is none as well: browsers throw that away in a number field."""

    def __init__(self) -> None:
        super().__init__({"inputmode": "decimal", "autocomplete": "off"})


class CardForm(forms.Form):
    """One card. ``part`` is its piece of the draft; ``write`` puts valid values into such a piece.

    ``fields_of_draft`` maps names of the draft to the form's where they differ, so that problems find their field.
    """

    fields_of_draft: ClassVar[Mapping[str, str]] = {}

    def __init__(self, part: dict[str, Any], templates: Choices, data: Any = None, prefix: str = "") -> None:
        super().__init__(data, prefix=prefix, initial=self.read(part), use_required_attribute=False)
        self.templates = templates
        self.prepare()
        for name in self.fields:
            if self.errors.get(name):
                self._mark(name)

    @classmethod
    def read(cls, part: Mapping[str, Any]) -> dict[str, Any]:
        return dict(part)

    def prepare(self) -> None:
        """Fill in what depends on the installation."""

    def write(self, part: dict[str, Any]) -> None:
        """Put what was typed into ``part``; what is wrong is not among the cleaned data, so the stored value stays."""
        part.update(self.cleaned_data)

    def note(self, name: str, problem: str) -> None:
        """Show what the engine says about a field beside what the form itself finds."""
        noted = vars(self[name]).setdefault("problems", [])
        noted.append(problem)
        self._mark(name)

    def _mark(self, name: str) -> None:
        self[name].field.widget.attrs |= {
            "aria-invalid": "true",
            "aria-describedby": f"{self[name].id_for_label}-error",
        }


def seconds_field(label: str, *, required: bool = True, help_text: str = "") -> forms.DecimalField:
    """Return a field for a number of the unit chosen beside it."""
    return forms.DecimalField(
        label=label,
        required=required,
        min_value=Decimal(0),
        max_value=Decimal(100_000_000),
        decimal_places=2,
        widget=NumberText,
        help_text=help_text,
    )


def unit_field() -> forms.ChoiceField:
    return forms.ChoiceField(label="Unit", choices=[(unit, unit) for unit in reversed(words.UNITS)])


def days_field() -> forms.TypedMultipleChoiceField:
    return forms.TypedMultipleChoiceField(
        label="Days",
        required=False,
        coerce=int,
        choices=list(enumerate(words.DAYS)),
        widget=forms.CheckboxSelectMultiple,
    )


def clock_field(label: str, help_text: str = "") -> forms.TimeField:
    return forms.TimeField(
        label=label, required=False, widget=forms.TimeInput({"type": "time"}, "%H:%M"), help_text=help_text
    )


class DelayForm(CardForm):
    fields_of_draft = {"seconds": "amount"}
    amount = seconds_field("Wait")
    most = seconds_field("At most (optional)", required=False, help_text="Then chance decides how long, for each anew.")
    unit = unit_field()
    name = NAME

    @classmethod
    def read(cls, part: Mapping[str, Any]) -> dict[str, Any]:
        seconds, most = part.get("seconds"), part.get("most")
        spans = [span for span in (seconds, most) if isinstance(span, int | float)]
        unit = words.common_unit(spans) if spans else "hours"
        number, limit = (words.in_unit(span, unit) if span in spans else None for span in (seconds, most))
        return {"name": part.get("name"), "amount": number, "most": limit, "unit": unit}

    def write(self, part: dict[str, Any]) -> None:
        good = dict(self.cleaned_data)
        if "name" in good:
            part["name"] = good["name"]
        if "amount" in good and "most" in good and "unit" in good:
            part["seconds"] = round(good["amount"] * words.UNITS[good["unit"]])
            part.pop("most", None)
            if good["most"] is not None:
                part["most"] = round(good["most"] * words.UNITS[good["unit"]])


class UntilForm(CardForm):
    """What is stored under ``until``. A field that is wrong leaves what was stored."""

    @classmethod
    def read(cls, part: Mapping[str, Any]) -> dict[str, Any]:
        until = part.get("until")
        return {"name": part.get("name"), **(until if isinstance(until, dict) else {})}

    def write(self, part: dict[str, Any]) -> None:
        good = dict(self.cleaned_data)
        if "name" in good:
            part["name"] = good.pop("name")
        if "at" in good:
            good["at"] = good["at"].strftime("%H:%M") if good["at"] else ""
        stored = part.get("until")
        part["until"] = {**(stored if isinstance(stored, dict) else {}), **good}


class UntilDayForm(UntilForm):
    fields_of_draft = {"until.days_of_week": "days_of_week", "until.at": "at"}
    days_of_week = days_field()
    at = clock_field("At", "In the person’s time zone.")
    name = NAME


class UntilDateForm(UntilForm):
    fields_of_draft = {"until.trait": "trait", "until.days": "days", "until.at": "at"}
    trait = forms.CharField(
        label="Trait that holds the date",
        required=False,
        max_length=200,
        widget=forms.TextInput({"autocomplete": "off", "placeholder": "renews_at"}),
    )
    days = forms.IntegerField(label="Days", min_value=0, max_value=MAX_DAYS, widget=NumberText)
    side = forms.ChoiceField(
        label="Before or after", choices=[("before", "before that date"), ("after", "after that date")]
    )
    at = clock_field("At", "In the person’s time zone. Empty: at the time that the trait names.")
    name = NAME

    @classmethod
    def read(cls, part: Mapping[str, Any]) -> dict[str, Any]:
        found = super().read(part)
        days, trait = found.get("days", 0), found.get("trait")
        is_before = isinstance(days, int) and days < 0
        found |= {"days": abs(days) if isinstance(days, int) else days, "side": "before" if is_before else "after"}
        return {**found, "trait": dotted(trait)}

    def write(self, part: dict[str, Any]) -> None:
        side = self.cleaned_data.pop("side", "after")
        if side == "before" and "days" in self.cleaned_data:
            self.cleaned_data["days"] *= -1
        stored = part.get("until")
        if isinstance(stored, dict) and dotted(stored.get("trait")) == self.cleaned_data.get("trait"):
            # A list of names may hold dots.
            self.cleaned_data["trait"] = stored["trait"]
        super().write(part)


def dotted(path: Any) -> Any:
    """Return the path of a trait as it is typed."""
    return ".".join(map(str, path)) if isinstance(path, list) else path


class ShareForm(CardForm):
    """A path of a split by chance."""

    weight = forms.IntegerField(
        label="Share",
        min_value=0,
        max_value=1_000_000,
        widget=NumberText,
        help_text="Shares count in relation to each other: 50 and 50, or 1 and 3.",
    )


class SpanForm(CardForm):
    """Fields for spans of seconds, in the unit chosen beside them; ``spans`` are their names here and in the draft."""

    spans: ClassVar[Mapping[str, str]] = {"amount": "seconds"}

    @classmethod
    def read(cls, part: Mapping[str, Any]) -> dict[str, Any]:
        stored = {name: part.get(key) for name, key in cls.spans.items()}
        seconds = {name: span for name, span in stored.items() if isinstance(span, int | float)}
        unit = words.common_unit(list(seconds.values())) if seconds else "hours"
        return {**part, **{name: words.in_unit(span, unit) for name, span in seconds.items()}, "unit": unit}

    def write(self, part: dict[str, Any]) -> None:
        good = dict(self.cleaned_data)
        unit = words.UNITS[good.pop("unit", "seconds")]
        spans = {key: good.pop(name, None) for name, key in self.spans.items()}
        if "unit" in self.cleaned_data:
            part.update({key: round(span * unit) for key, span in spans.items() if span is not None})
        part.update(good)


def event_field(label: str) -> forms.CharField:
    return forms.CharField(
        label=label,
        required=False,
        max_length=200,
        widget=forms.TextInput({"list": "events-seen", "autocomplete": "off", "placeholder": "Order Completed"}),
    )


class HeardForm(SpanForm):
    """What speaks of an event of the person's."""

    def write(self, part: dict[str, Any]) -> None:
        if not self.cleaned_data.get("same"):
            self.cleaned_data.pop("same", None)
            part.pop("same", None)
        elif dotted(part.get("same")) == self.cleaned_data["same"]:
            # A list of names may hold dots.
            del self.cleaned_data["same"]
        super().write(part)

    @classmethod
    def read(cls, part: Mapping[str, Any]) -> dict[str, Any]:
        return {**super().read(part), "same": dotted(part.get("same"))}


def same_field() -> forms.CharField:
    return forms.CharField(
        label="With the same property (optional)",
        required=False,
        max_length=200,
        widget=forms.TextInput({"autocomplete": "off", "placeholder": "order_id"}),
        help_text="Then only events count whose order_id, say, is that of the triggering event.",
    )


class WaitEventForm(HeardForm):
    fields_of_draft = {"seconds": "amount"}
    event = event_field("Event to wait for")
    same = same_field()
    amount = seconds_field("For at most")
    unit = unit_field()
    since = forms.ChoiceField(
        label="Counts",
        required=False,
        choices=[("trigger", "since the journey’s event"), ("step", "since the person came to this step")],
    )
    name = NAME

    def write(self, part: dict[str, Any]) -> None:
        if self.cleaned_data.get("since") != "step" and "since" not in part:
            self.cleaned_data.pop("since", None)
        super().write(part)


class WaitConditionForm(SpanForm):
    fields_of_draft = {"seconds": "amount"}
    amount = seconds_field("For at most")
    unit = unit_field()
    name = NAME


class QuietForm(HeardForm):
    fields_of_draft = {"seconds": "amount", "most": "limit"}
    spans = {"amount": "seconds", "limit": "most"}
    event = event_field("Event")
    same = same_field()
    amount = seconds_field("None for")
    limit = seconds_field("But at most")
    unit = unit_field()
    name = NAME


class LimitForm(SpanForm):
    fields_of_draft = {"seconds": "amount"}
    number = forms.IntegerField(label="People", min_value=1, max_value=10_000_000, widget=NumberText)
    amount = seconds_field("In")
    unit = unit_field()
    name = NAME


class ValuesField(forms.CharField):
    """Names with their values, one a line: ``plan: pro``. What is JSON, such as ``3`` or ``null``, is meant so."""

    widget = forms.Textarea({"rows": 4, "spellcheck": "false", "autocomplete": "off"})

    def prepare_value(self, value: Any) -> Any:
        if not isinstance(value, dict):
            return value
        return "\n".join(f"{name}: {self._say(one)}" for name, one in value.items())

    def clean(self, value: Any) -> Any:
        found = {}
        for line in str(super().clean(value)).splitlines():
            name, colon, said = line.partition(":")
            if not line.strip():
                continue
            if not colon or not name.strip():
                raise forms.ValidationError(f"Write name: value in each line; “{line.strip()[:60]}” is not.")
            found[name.strip()] = _value(said.strip())
        return found

    def _say(self, value: Any) -> str:
        is_plain = isinstance(value, str) and value == value.strip() and "\n" not in value and _value(value) == value
        return str(value) if is_plain else json.dumps(value, ensure_ascii=False)


def _value(text: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return text


LIQUID = "One name: value a line. Liquid is filled in: {{ trigger.total }}, {{ customer.plan }}."


class UpdateForm(CardForm):
    traits = ValuesField(label="Traits", required=False, help_text=f"{LIQUID} null takes a trait away.")
    name = NAME


class TrackForm(CardForm):
    event = event_field("Name of the event")
    properties = ValuesField(label="Properties", required=False, help_text=LIQUID)
    name = NAME


class TextsField(ValuesField):
    """Names with texts, one a line."""

    def clean(self, value: Any) -> Any:
        return {name: one if isinstance(one, str) else json.dumps(one) for name, one in super().clean(value).items()}


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


def offer(form: forms.Form, name: str, empty: str, choices: Choices) -> None:
    """Let a field choose among ``choices``, and keep what is stored and no longer there."""
    field = form.fields[name]
    assert isinstance(field, forms.ChoiceField)
    stored = str(form.initial.get(name) or "")
    gone = [(stored, f"{stored} (is no longer there)")] if stored and stored not in dict(choices) else []
    field.choices = [("", empty), *choices, *gone]


class GoToForm(CardForm):
    to = forms.ChoiceField(label="Back to", required=False)
    times = forms.IntegerField(label="At most so many times", min_value=1, max_value=MAX_TIMES, widget=NumberText)
    name = NAME

    def __init__(self, *args: Any, earlier: Choices | None = None, **options: Any) -> None:
        self.earlier = earlier or []
        super().__init__(*args, **options)

    def prepare(self) -> None:
        offer(self, "to", "Choose a step …", self.earlier)


class WindowForm(CardForm):
    days = days_field()
    start = clock_field("From")
    end = clock_field("To")
    name = NAME

    def write(self, part: dict[str, Any]) -> None:
        good = dict(self.cleaned_data)
        for name in ("start", "end"):
            if name in good:
                good[name] = good[name].strftime("%H:%M") if good[name] else ""
        part.update(good)


class SendForm(CardForm):
    template = forms.TypedChoiceField(label="Template", required=False, coerce=int, empty_value=None)
    name = NAME

    def prepare(self) -> None:
        field = self.fields["template"]
        assert isinstance(field, forms.TypedChoiceField)
        field.choices = [("", "Choose a template …"), *self.templates]


class NameForm(CardForm):
    name = NAME


class TriggerForm(CardForm):
    event = forms.CharField(
        label="Event",
        required=False,
        max_length=200,
        widget=forms.TextInput({"list": "events-seen", "autocomplete": "off", "placeholder": "Visited Pricing Page"}),
    )

    max_age_hours = forms.IntegerField(
        label="Oldest event that may start it, in hours",
        required=False,
        min_value=1,
        max_value=MAX_AGE_HOURS,
        widget=NumberText,
        help_text="Older ones, such as those of a phone that was off line, only count as history.",
    )
    grace_minutes = forms.IntegerField(
        label="Wait for missing traits, in minutes",
        required=False,
        min_value=0,
        max_value=MAX_GRACE_MINUTES,
        widget=NumberText,
        help_text="When the event comes before the traits that the conditions ask for. 0: do not wait.",
    )

    @classmethod
    def read(cls, part: Mapping[str, Any]) -> dict[str, Any]:
        return {**LIMITS, **part}

    def write(self, part: dict[str, Any]) -> None:
        good = dict(self.cleaned_data)
        for name, usual in LIMITS.items():
            # What nobody has changed does not stand in the definition.
            if good.get(name) is None or (good[name] == usual and name not in part):
                good.pop(name, None)
        part.update(good)


class ReentryForm(CardForm):
    rule = forms.ChoiceField(label="How often may one person enter?", choices=list(RULES.items()))
    hours = forms.IntegerField(
        label="Hours between two entries", required=False, min_value=1, max_value=9600, widget=NumberText
    )
    by = forms.CharField(
        label="Counted apart for each value of a property (optional)",
        required=False,
        max_length=200,
        widget=forms.TextInput({"autocomplete": "off", "placeholder": "order_id"}),
        help_text="Of the event. With order_id, somebody may enter once for each order. Not for “each time”.",
    )

    def write(self, part: dict[str, Any]) -> None:
        good = dict(self.cleaned_data)
        if good.get("hours") is None:
            good.pop("hours", None)
        if not good.get("by"):
            good.pop("by", None)
            part.pop("by", None)
        part.update(good)


class GoalForm(CardForm):
    event = forms.CharField(
        label="Event that counts as success",
        required=False,
        max_length=200,
        widget=forms.TextInput({"list": "events-seen", "autocomplete": "off", "placeholder": "Order Completed"}),
        help_text="Leave it empty for a campaign without a goal.",
    )
    hours = forms.IntegerField(
        label="Within how many hours of the entry?", required=False, min_value=1, max_value=24 * 90, widget=NumberText
    )

    @classmethod
    def read(cls, part: Mapping[str, Any]) -> dict[str, Any]:
        return {"event": part.get("event"), "hours": part.get("hours", 168)}

    def write(self, part: dict[str, Any]) -> None:
        good = dict(self.cleaned_data)
        if good.get("hours") is None:
            good["hours"] = part.get("hours", 168)
        part.update(good)


class SettingsForm(CardForm):
    priority = forms.ChoiceField(
        label="Priority of its messages",
        required=False,
        choices=list(PRIORITIES.items()),
        help_text="Who goes first when many are due. Transactional mails, such as passwords, are always urgent.",
    )
    time_zone = forms.CharField(
        label="Time zone for people whose own is unknown",
        required=False,
        max_length=60,
        widget=forms.TextInput({"list": "time-zones", "autocomplete": "off", "placeholder": "Europe/Vienna"}),
        help_text="Empty: this installation’s.",
    )
    speed = forms.IntegerField(
        label="Speed",
        min_value=1,
        max_value=100_000,
        widget=NumberText,
        help_text="For trying a campaign out: every wait is divided by this. Use 1 in earnest; with 360, an hour "
        "takes ten seconds.",
    )

    def clean_priority(self) -> str:
        return self.cleaned_data["priority"] or "normal"

    def write(self, part: dict[str, Any]) -> None:
        good = dict(self.cleaned_data)
        if good.get("priority") == "normal":
            # What nobody has changed does not stand in the definition.
            del good["priority"]
            part.pop("priority", None)
        part.update(good)

    @classmethod
    def read(cls, part: Mapping[str, Any]) -> dict[str, Any]:
        return {"priority": "normal", **part}

    def clean_time_zone(self) -> str:
        zone: str = self.cleaned_data["time_zone"].strip()
        if zone and zone not in available_timezones():
            raise forms.ValidationError(f"{zone} is not a time zone. Write one such as Europe/Vienna.")
        return zone


STEP_FORMS: dict[str, type[CardForm]] = {
    "delay": DelayForm,
    "until-day": UntilDayForm,
    "until-date": UntilDateForm,
    "window": WindowForm,
    "send": SendForm,
    "branch": NameForm,
    "split": NameForm,
    "wait-event": WaitEventForm,
    "wait-condition": WaitConditionForm,
    "quiet": QuietForm,
    "limit": LimitForm,
    "update": UpdateForm,
    "track": TrackForm,
    "subscribe": SubscribeForm,
    "start": StartForm,
    "call": CallForm,
    "goto": GoToForm,
    "exit": NameForm,
}
