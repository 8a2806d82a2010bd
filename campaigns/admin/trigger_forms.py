"""The fields of the card that says what starts a campaign: the kind first, then what the kind asks for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from django import forms

from campaigns.admin.act_forms import read_value, say_value
from campaigns.admin.card_forms import CardForm, NumberText, clock_field, days_field, dotted, offer_segments
from campaigns.engine.anniversaries import MOST_DAYS
from campaigns.engine.definition import LIMITS, MAX_AGE_HOURS, MAX_GRACE_MINUTES, MAX_QUIET_MINUTES

# Beside what its kind asks for, a trigger keeps these when it becomes one of another kind.
KEPT = ("where", *LIMITS)


class TriggerForm(CardForm):
    """What all kinds have: their limits. ``asks`` are the fields of a kind, ``hint`` what to say of them.

    ``fresh`` is what a new one of the kind holds.
    """

    label: ClassVar[str]
    asks: ClassVar[Sequence[str]] = ()
    hint: ClassVar[str] = ""
    fresh: ClassVar[Mapping[str, Any]] = {}
    limits: ClassVar[Sequence[str]] = ("grace_minutes", "quiet_minutes", "quiet_most_minutes", "max_age_hours")

    kind = forms.ChoiceField(label="What brings people in", required=False)
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
    quiet_minutes = forms.IntegerField(
        label="Wait until it is quiet, in minutes",
        required=False,
        min_value=0,
        max_value=MAX_QUIET_MINUTES,
        widget=NumberText,
        help_text="Of many such events in a row only the last starts it, when no more has come for so long. "
        "0: each starts it at once. “How often” below can keep this apart too, such as for each order.",
    )
    quiet_most_minutes = forms.IntegerField(
        label="But start it at the latest after, in minutes",
        required=False,
        min_value=1,
        max_value=MAX_QUIET_MINUTES,
        widget=NumberText,
        help_text="Counted from the first of them, so that what never gets quiet starts it as well.",
    )

    @classmethod
    def read(cls, part: Mapping[str, Any]) -> dict[str, Any]:
        return {**LIMITS, **part, "kind": kind_of(part)}

    def prepare(self) -> None:
        field = self.fields["kind"]
        assert isinstance(field, forms.ChoiceField)
        field.choices = [(kind, form.label) for kind, form in TRIGGER_FORMS.items()]

    def write(self, part: dict[str, Any]) -> None:
        good = dict(self.cleaned_data)
        kind = good.pop("kind", "") or kind_of(part)
        if kind != kind_of(part):
            become(part, kind)
            return
        for name, usual in LIMITS.items():
            # What nobody has changed does not stand in the definition.
            if good.get(name) is None or (good[name] == usual and name not in part):
                good.pop(name, None)
        part.update(good)

    @property
    def asked(self) -> list[forms.BoundField]:
        return [self[name] for name in self.asks]

    @property
    def limited(self) -> list[forms.BoundField]:
        return [self[name] for name in self.limits]


class EventForm(TriggerForm):
    label = "Somebody does something: an event"
    asks = ("event",)
    hint = "Exactly the name that your application sends. Names that have come in are suggested."
    fresh = {"event": ""}

    event = forms.CharField(
        label="Event",
        required=False,
        max_length=200,
        widget=forms.TextInput({"list": "events-seen", "autocomplete": "off", "placeholder": "Visited Pricing Page"}),
    )


class SegmentForm(TriggerForm):
    label = "Somebody enters or leaves a segment"
    asks = ("moved", "segment")
    hint = "Who is in the segment when you publish does not enter; who comes into it from then on does."
    fresh = {"segment": "", "moved": "entered"}

    moved = forms.ChoiceField(label="When somebody", choices=[("entered", "enters"), ("left", "leaves")])
    segment = forms.ChoiceField(label="The segment", required=False)

    def prepare(self) -> None:
        super().prepare()
        offer_segments(self, "Choose a segment …")


class ValueField(forms.CharField):
    """A value of a trait as it is typed; None stands for the empty field, ``(None,)`` for the value that is none."""

    def __init__(self, label: str, placeholder: str) -> None:
        widget = forms.TextInput({"autocomplete": "off", "placeholder": placeholder})
        super().__init__(label=label, required=False, max_length=500, widget=widget)

    def clean(self, value: Any) -> Any:
        text = str(super().clean(value)).strip()
        return (read_value(text),) if text else None


class TraitForm(TriggerForm):
    label = "Something known about somebody changes: a trait"
    asks = ("trait", "before", "after")
    hint = (
        "Left empty, “from” and “to” may be anything; null means that it is not known. To be told for the first time "
        "is a change as well. For more, such as a number that grows beyond 100, add a rule below about the event’s "
        "“from” or “to”."
    )
    fresh = {"trait": ""}
    fields_of_draft = {"from": "before", "to": "after"}

    trait = forms.CharField(
        label="Trait",
        required=False,
        max_length=200,
        widget=forms.TextInput({"list": "traits-seen", "autocomplete": "off", "placeholder": "plan"}),
    )
    before = ValueField("From (optional)", "free")
    after = ValueField("To (optional)", "pro")

    @classmethod
    def read(cls, part: Mapping[str, Any]) -> dict[str, Any]:
        sides = {name: say_value(part[side]) for side, name in cls.fields_of_draft.items() if side in part}
        return {**super().read(part), "trait": dotted(part.get("trait")), **sides}

    def write(self, part: dict[str, Any]) -> None:
        stored = part.get("trait")
        for side, name in self.fields_of_draft.items():
            if name in self.cleaned_data:
                value = self.cleaned_data.pop(name)
                part.pop(side, None)
                part |= {side: value[0]} if value else {}
        super().write(part)
        if "trait" in part and dotted(stored) == part["trait"]:
            # A path whose names hold dots is a list, which a text cannot say.
            part["trait"] = stored


class RequestForm(TriggerForm):
    label = "Your application, or one of you, asks for it"
    hint = (
        "Nobody enters by themselves: people are let in by a call of the management API, by the step “Start another "
        "campaign”, or by hand on a person’s page and in the list of people."
    )


class ScheduleForm(TriggerForm):
    label = "A day and a time, once or again and again: a timetable"
    asks = ("repeat", "on", "days", "day", "cron", "at", "whose", "segment")
    hint = (
        "Who is in the segment, and meets the rules below, when the time comes, enters. If it comes again, say "
        "under “How often” that people may enter every time. Times that are over when you publish do not count."
    )
    fresh = {"repeat": "once", "at": "09:00", "whose": "person", "segment": ""}
    limits = ()
    # What belongs to one way of repeating is shown, and kept, only with it.
    of_repeat: ClassVar[Mapping[str, str]] = {"on": "once", "days": "weekly", "day": "monthly", "cron": "cron"}

    repeat = forms.ChoiceField(
        label="How often",
        choices=[
            ("once", "Once"),
            ("daily", "Every day"),
            ("weekly", "On days of the week"),
            ("monthly", "Every month"),
            ("cron", "On the days of a cron line"),
        ],
    )
    on = forms.DateField(label="On the day", required=False, widget=forms.DateInput({"type": "date"}, "%Y-%m-%d"))
    days = days_field()
    day = forms.IntegerField(
        label="On which day of the month",
        required=False,
        min_value=1,
        max_value=31,
        widget=NumberText,
        help_text="A month that is shorter has its last day instead.",
    )
    cron = forms.CharField(
        label="Days of the cron line",
        required=False,
        max_length=100,
        widget=forms.TextInput({"autocomplete": "off", "placeholder": "1,15 * *", "spellcheck": "false"}),
        help_text=(
            "Day of the month, month, day of the week. 1,15 * * are the 1st and the 15th, * * mon-fri working days, "
            "1 */3 * the first day of each quarter. The time stands below."
        ),
    )
    at = clock_field("At", "In the night in which clocks are put forward, a time that is left out is when they were.")
    whose = forms.ChoiceField(
        label="By which clock",
        choices=[("person", "Each person’s own, else the campaign’s"), ("campaign", "The campaign’s, all at once")],
        help_text="The campaign’s time zone is chosen under Settings.",
    )
    segment = forms.ChoiceField(label="Who", required=False)

    @classmethod
    def read(cls, part: Mapping[str, Any]) -> dict[str, Any]:
        return {**cls.fresh, "day": 1, **super().read(part)}

    def prepare(self) -> None:
        super().prepare()
        offer_segments(self, "Everybody")
        for name, repeat in self.of_repeat.items():
            vars(self[name])["extra"] = f"cbw-if-{repeat}"

    def write(self, part: dict[str, Any]) -> None:
        good = self.cleaned_data
        for name, repeat in self.of_repeat.items():
            if good.get("repeat", repeat) != repeat or good.get(name) is None:
                good.pop(name, None)
                part.pop(name, None)
        good |= {"on": good["on"].isoformat()} if "on" in good else {}
        good |= {"at": f"{good['at']:%H:%M}"} if good.get("at") else {}
        super().write(part)


class DateForm(TriggerForm):
    label = "A date of the person’s comes, such as a birthday or a renewal: a trait"
    asks = ("trait", "days", "side", "at", "often")
    hint = (
        "By each person’s own clock, else the campaign’s. When the trait changes, the start moves with it; each date "
        "starts a person once. For dates that come again, say under “How often” that people may enter every time. "
        "Whoever was born on 29 February has their day on the 28th in other years."
    )
    fresh = {"trait": "", "days": 0, "at": "09:00", "yearly": False}
    limits = ()
    fields_of_draft = {"yearly": "often"}

    trait = forms.CharField(
        label="Trait that holds the date",
        required=False,
        max_length=200,
        widget=forms.TextInput({"list": "traits-seen", "autocomplete": "off", "placeholder": "renewal_date"}),
    )
    days = forms.IntegerField(
        label="Days", min_value=0, max_value=MOST_DAYS, widget=NumberText, help_text="0: on the day."
    )
    side = forms.ChoiceField(label="Before or after", choices=[("before", "before it"), ("after", "after it")])
    at = clock_field("At")
    often = forms.ChoiceField(
        label="How often the date comes", choices=[("once", "Once"), ("yearly", "Each year, as birthdays do")]
    )

    @classmethod
    def read(cls, part: Mapping[str, Any]) -> dict[str, Any]:
        found = {**cls.fresh, **super().read(part)}
        days = found["days"] if isinstance(found["days"], int) else 0
        found |= {"days": abs(days), "side": "after" if days > 0 else "before", "trait": dotted(found["trait"])}
        return {**found, "often": "yearly" if found["yearly"] is True else "once"}

    def write(self, part: dict[str, Any]) -> None:
        good, stored = self.cleaned_data, part.get("trait")
        side, often = good.pop("side", ""), good.pop("often", "")
        if side == "before" and "days" in good:
            good["days"] *= -1
        good |= {"at": f"{good['at']:%H:%M}"} if good.get("at") else {}
        good |= {"yearly": often == "yearly"} if often else {}
        super().write(part)
        if "trait" in part and dotted(stored) == part["trait"]:
            # A path whose names hold dots is a list, which a text cannot say.
            part["trait"] = stored


TRIGGER_FORMS: dict[str, type[TriggerForm]] = {
    "event": EventForm,
    "segment": SegmentForm,
    "trait": TraitForm,
    "request": RequestForm,
    "schedule": ScheduleForm,
    "date": DateForm,
}


def kind_of(part: Mapping[str, Any]) -> str:
    """Return the kind of a trigger in a draft; one that nobody knows is an event's to choose."""
    kind = part.get("kind", "event")
    return kind if isinstance(kind, str) and kind in TRIGGER_FORMS else "event"


def form_of(part: Mapping[str, Any]) -> type[TriggerForm]:
    return TRIGGER_FORMS[kind_of(part)]


def become(part: dict[str, Any], kind: str) -> None:
    """Make a draft's trigger one of another kind; its conditions and limits stay."""
    for name in [name for name in part if name not in KEPT]:
        del part[name]
    if kind != "event":
        part["kind"] = kind
    part.update(TRIGGER_FORMS[kind].fresh)
