"""The fields of the editor's cards beside its steps, and which form a step has."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from zoneinfo import available_timezones

from django import forms

from campaigns.admin.act_forms import CallForm, GoToForm, SendForm, StartForm, SubscribeForm, TrackForm, UpdateForm
from campaigns.admin.card_forms import CardForm, NameForm, NumberText
from campaigns.admin.wait_forms import (
    DelayForm,
    LimitForm,
    QuietForm,
    UntilDateForm,
    UntilDayForm,
    WaitConditionForm,
    WaitEventForm,
    WindowForm,
)

RULES = {
    "once": "Once, ever",
    "always": "Each time the event happens",
    "period": "At most once in a number of hours",
}


PRIORITIES = {
    "urgent": "Urgent: before all that fell due up to a day earlier",
    "high": "High: before normal ones that fell due up to 4 hours earlier",
    "normal": "Normal: in the order in which messages fall due",
    "low": "Low: lets normal ones of the next 4 hours go first",
}


class ShareForm(CardForm):
    """A path of a split by chance."""

    weight = forms.IntegerField(
        label="Share",
        min_value=0,
        max_value=1_000_000,
        widget=NumberText,
        help_text="Shares count in relation to each other: 50 and 50, or 1 and 3.",
    )


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
        help_text="Of the event. With order_id, somebody may enter once for each order. With “each time” it matters "
        "for journeys side by side and for waiting until it is quiet.",
    )
    parallel = forms.ChoiceField(
        label="Several journeys of one person at a time?",
        required=False,
        choices=[("", "No: only one, whatever comes meanwhile"), ("yes", "Yes, side by side")],
        help_text="With a property above, side by side means one journey at a time for each value of it, such as one "
        "for each order.",
    )

    @classmethod
    def read(cls, part: Mapping[str, Any]) -> dict[str, Any]:
        return {**part, "parallel": "yes" if part.get("parallel") is True else ""}

    def write(self, part: dict[str, Any]) -> None:
        good = dict(self.cleaned_data)
        if good.get("hours") is None:
            good.pop("hours", None)
        if not good.get("by"):
            good.pop("by", None)
            part.pop("by", None)
        if not good.pop("parallel", ""):
            part.pop("parallel", None)
        elif "parallel" in self.cleaned_data:
            good["parallel"] = True
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
