"""Read a page's form as a browser would send it."""

from __future__ import annotations

from html.parser import HTMLParser
from typing import Any

from django.test import Client

from campaigns.models import Campaign

Fields = dict[str, list[str]]


class _Reader(HTMLParser):
    def __init__(self, form_id: str) -> None:
        super().__init__()
        self.form_id = form_id
        self.inside = False
        self.fields: list[tuple[str, str]] = []
        self.select = ""
        self.textarea = ""
        self.text = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        found = dict(attrs)
        name = found.get("name") or ""
        if tag == "form":
            self.inside = found.get("id") == self.form_id
        elif not self.inside:
            return
        elif tag == "input" and name:
            if found.get("type") not in ("checkbox", "radio") or "checked" in found:
                self.fields.append((name, found.get("value") or ""))
        elif tag == "select":
            self.select = name
        elif tag == "option" and self.select and "selected" in found:
            self.fields.append((self.select, found.get("value") or ""))
        elif tag == "textarea":
            self.textarea, self.text = name, ""

    def handle_data(self, data: str) -> None:
        self.text += data

    def handle_endtag(self, tag: str) -> None:
        if tag == "form":
            self.inside = False
        elif tag == "select":
            self.select = ""
        elif tag == "textarea" and self.textarea:
            # As browsers do: a line break right behind the tag is not part of the text.
            self.fields.append((self.textarea, self.text.removeprefix("\n")))
            self.textarea = ""


def fields_of(html: str, form_id: str = "workflow-editor") -> Fields:
    """Return what the form would send, without any button."""
    reader = _Reader(form_id)
    reader.feed(html)
    result: Fields = {}
    for name, value in reader.fields:
        result.setdefault(name, []).append(value)
    return result


class EditorPage:
    """The workflow editor of a campaign in a signed-in browser."""

    def __init__(self, client: Client, campaign: Campaign) -> None:
        self.client, self.campaign = client, campaign
        self.url = f"/admin/campaigns/campaign/{campaign.pk}/workflow/"
        self.html = client.get(self.url).content.decode()
        self.fields = fields_of(self.html)

    def fill(self, fields: dict[str, Any]) -> EditorPage:
        for name, value in fields.items():
            assert name in self.fields, f"there is no field {name}"
            self.fields[name] = value if isinstance(value, list) else [value]
        return self

    def press(self, action: str = "save") -> EditorPage:
        """Press a button, as htmx does, and read the answer."""
        response = self.client.post(self.url, {**self.fields, "action": action}, headers={"HX-Request": "true"})
        assert response.status_code == 200
        self.html = response.content.decode()
        self.fields = fields_of(self.html)
        return self

    @property
    def draft(self) -> dict[str, Any]:
        """The draft as stored."""
        self.campaign.refresh_from_db()
        return self.campaign.draft

    def value(self, name: str) -> str:
        return self.fields[name][0]
