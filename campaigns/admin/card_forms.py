"""What the fields of the editor's cards have in common: from the draft to the page and back.

A form checks only what it cannot store (a number that is none). What is missing or makes no sense is the engine's to
say: a draft may be half done.
"""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Any, ClassVar

from django import forms

from campaigns.admin import weekdays, words
from events.models import Segment

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


class NameForm(CardForm):
    name = NAME


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
        choices=list(enumerate(weekdays.DAYS)),
        widget=forms.CheckboxSelectMultiple,
    )


def clock_field(label: str, help_text: str = "") -> forms.TimeField:
    return forms.TimeField(
        label=label, required=False, widget=forms.TimeInput({"type": "time"}, "%H:%M"), help_text=help_text
    )


def event_field(label: str) -> forms.CharField:
    return forms.CharField(
        label=label,
        required=False,
        max_length=200,
        widget=forms.TextInput({"list": "events-seen", "autocomplete": "off", "placeholder": "Order Completed"}),
    )


def dotted(path: Any) -> Any:
    """Return the path of a trait as it is typed."""
    return ".".join(map(str, path)) if isinstance(path, list) else path


def offer(form: forms.Form, name: str, empty: str, choices: Choices) -> None:
    """Let a field choose among ``choices``, and keep what is stored and no longer there."""
    field = form.fields[name]
    assert isinstance(field, forms.ChoiceField)
    stored = str(form.initial.get(name) or "")
    gone = [(stored, f"{stored} (is no longer there)")] if stored and stored not in dict(choices) else []
    field.choices = [("", empty), *choices, *gone]


def offer_segments(form: forms.Form, empty: str) -> None:
    """Let the field ``segment`` choose among all segments; ``empty`` is what no choice says. One statement."""
    offer(form, "segment", empty, list(Segment.objects.order_by("name").values_list("slug", "name")))
