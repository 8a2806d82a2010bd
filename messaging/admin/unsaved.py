"""Read a template from a form that has not been saved, for the preview beside it."""

from __future__ import annotations

from django.http import QueryDict

from messaging.models import Layout, Purpose, Template

WRITTEN = ("subject", "preheader", "html", "text", "from_email", "reply_to")

SAMPLE = Template(
    name="Sample",
    purpose=Purpose.TRANSACTIONAL,
    subject="A sample mail",
    html="<h1>Hello {{ customer.first_name | default: 'there' }}</h1><p>Here stands what a template says.</p>",
    text="Hello {{ customer.first_name | default: 'there' }},\n\nhere stands what a template says.\n",
)


def template(form: QueryDict) -> Template:
    """Return an unsaved template with the content of the template editor's ``form``."""
    layout = form.get("layout", "")
    return Template(
        name=form.get("name", ""),
        purpose=form.get("purpose", Purpose.MARKETING),
        layout=Layout.objects.filter(pk=int(layout)).first() if layout.isdecimal() else None,
        **{name: clean(form.get(name, "")) for name in WRITTEN},
    )


def in_layout(form: QueryDict, inside: Template) -> Template:
    """Return an unsaved copy of ``inside`` within the unsaved layout of the layout editor's ``form``."""
    layout = Layout(name="Unsaved", html=clean(form.get("html", "")), text=clean(form.get("text", "")))
    content = {name: getattr(inside, name) for name in WRITTEN}
    return Template(name=inside.name, purpose=inside.purpose, layout=layout, **content)


def differs(form: QueryDict, saved: Template) -> bool:
    """Tell whether ``form`` says something else than ``saved``."""
    now = template(form)
    fields = ("purpose", "layout_id", *WRITTEN)
    return any(_plain(getattr(now, name)) != _plain(getattr(saved, name)) for name in fields)


def clean(text: str) -> str:
    """Return ``text`` with line ends as they are stored: a browser posts them as CR LF."""
    return text.replace("\r\n", "\n")


def _plain(value: object) -> object:
    return clean(value).strip() if isinstance(value, str) else value
