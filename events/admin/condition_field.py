"""A form's field for a condition: its JSON as text, which ``static/events/conditions.js`` turns into a builder.

Without JavaScript the text itself is edited. Addresses of what the builder asks are in ``events/admin/conditions``.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.forms.widgets import Script
from django.template.loader import render_to_string
from django.utils.safestring import SafeString
from unfold.widgets import UnfoldAdminTextareaWidget

from events.admin.plan import SchemaField
from events.conditions import ConditionError, parse

EMPTY = {
    "person": "No rules yet: everybody is meant.",
    "event": "No rules yet: every such event counts.",
}


class ConditionWidget(UnfoldAdminTextareaWidget):
    """The text within its builder.

    ``about`` is "person", or "event" where there is an event at hand, whose name stands in the field ``event_field`` of
    the same form. ``empty`` says what a condition without rules means.
    """

    def __init__(
        self, about: str = "person", event_field: str = "", empty: str = "", attrs: Mapping[str, Any] | None = None
    ) -> None:
        super().__init__({"rows": 10, "spellcheck": "false", "class": "cbb-text", **(attrs or {})})
        self.about, self.event_field, self.empty = about, event_field, empty or EMPTY[about]

    def render(self, name: str, value: Any, attrs: Mapping[str, Any] | None = None, renderer: Any = None) -> SafeString:
        text = super().render(name, value, dict(attrs or {}), renderer)
        context = {"text": text, "about": self.about, "event_field": self.event_field, "empty": self.empty}
        return render_to_string("admin/events/condition.html", context)

    @property
    def media(self) -> forms.Media:
        script: Any = Script("events/conditions.js", type="module")
        return forms.Media(css={"all": ["events/conditions.css"]}, js=[script])


class ConditionField(SchemaField):
    """A condition as JSON; what is wrong is told with its place."""

    widget = ConditionWidget
    default_error_messages = {"invalid": "This is not JSON."}  # noqa: RUF012
    too_deep = "The condition is nested too deeply."

    def clean(self, value: Any) -> Any:
        tree = super().clean(value)
        if tree is not None:
            try:
                parse(tree)
            except ConditionError as error:
                raise ValidationError(str(error)) from None
        return tree
