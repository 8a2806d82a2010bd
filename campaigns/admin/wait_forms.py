"""The fields of steps that wait."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django import forms

from campaigns.admin import words
from campaigns.admin.card_forms import (
    NAME,
    CardForm,
    NumberText,
    SpanForm,
    clock_field,
    days_field,
    dotted,
    event_field,
    seconds_field,
    unit_field,
)
from campaigns.engine.boxes import MAX_DAYS


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


class ExitEventForm(HeardForm):
    """The fields of a rule by which an event ends journeys."""

    spans = {}
    event = event_field("Event that ends the journey")
    same = same_field()


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
