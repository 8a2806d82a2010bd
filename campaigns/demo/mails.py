"""What the demo's mails say: a layout and the templates in it."""

from __future__ import annotations

from dataclasses import dataclass

LAYOUT = "Acme Projects"
LAYOUT_HTML = """\
<!doctype html>
<html lang="en">
<head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1"><title></title></head>
<body style="margin:0;padding:24px 12px;background:#f2f5f6;color:#243238;font:16px/1.6 Helvetica,Arial,sans-serif">
<table role="presentation" width="100%" cellpadding="0" cellspacing="0"><tr><td align="center">
<table role="presentation" width="560" cellpadding="0" cellspacing="0" style="max-width:560px;width:100%">
<tr><td style="padding:0 8px 16px;font-size:18px;font-weight:bold;color:#0b6173">Acme Projects</td></tr>
<tr><td style="padding:28px 32px;background:#ffffff;border-radius:10px">{{ content }}</td></tr>
<tr><td style="padding:20px 8px;font-size:13px;color:#5b6b72">
Acme Projects, 1 Example Street, 1010 Exampletown<br>
You get this mail because you signed up with us.
<a href="{{ unsubscribe_url }}" style="color:#5b6b72">Unsubscribe</a>
</td></tr></table>
</td></tr></table>
</body>
</html>
"""
LAYOUT_TEXT = """\
{{ content }}

--
Acme Projects, 1 Example Street, 1010 Exampletown
Unsubscribe: {{ unsubscribe_url }}
"""

BUTTON = (
    '<p><a href="{url}" style="display:inline-block;padding:10px 18px;border-radius:6px;background:#0b6173;'
    'color:#ffffff;text-decoration:none">{label}</a></p>'
)


@dataclass(frozen=True, slots=True)
class Mail:
    """A template. ``html`` goes into the layout."""

    name: str
    subject: str
    preheader: str
    html: str


WELCOME = Mail(
    "Welcome",
    "Welcome, {{ customer.first_name | capitalize }}",
    "Three minutes, and your first project stands.",
    '<h1 style="margin:0 0 12px;font-size:24px">Welcome, {{ customer.first_name | capitalize }}</h1>\n'
    "<p>Good to have you with us. The best first step is a small project: give it a name, invite one person, and "
    "see how the work sorts itself.</p>\n"
    + BUTTON.format(url="https://example.com/projects/new", label="Create your first project")
    + "\n<p>Any question? Just answer this mail.</p>\n",
)
PRICING = Mail(
    "Pricing follow-up",
    "The {{ trigger.plan_name }} plan, in short",
    "What it holds, what it costs, how to try it.",
    '<h1 style="margin:0 0 12px;font-size:24px">Still thinking about {{ trigger.plan_name }}?</h1>\n'
    "<p>{{ customer.first_name | default: 'Hello' | capitalize }}, you had a look at the <strong>{{ trigger.plan_name "
    "}}</strong> plan. You can try it for thirty days; nothing is charged before that, and your projects stay "
    "whatever you decide.</p>\n"
    + BUTTON.format(url="https://example.com/pricing", label="Try {{ trigger.plan_name }}"),
)
TEAM_TIPS = Mail(
    "Tips for teams",
    "{{ trigger.project_name }}: invite your team",
    "Three habits of teams that finish early.",
    '<h1 style="margin:0 0 12px;font-size:24px">{{ trigger.project_name }} is ready for your team</h1>\n'
    "<p>On your plan everybody may join. Teams that finish early do three things: they name one owner for each "
    "task, they write the next step down, and they look at the board together once a week.</p>\n"
    + BUTTON.format(url="https://example.com/team", label="Invite people"),
)
STARTER_TIPS = Mail(
    "Tips for starters",
    "{{ trigger.project_name }}: three good next steps",
    "How a small project gets going.",
    '<h1 style="margin:0 0 12px;font-size:24px">A good start for {{ trigger.project_name }}</h1>\n'
    "<p>Write down the three things that must be done first, give each a date, and ask one person to look over your "
    "shoulder. That is all it takes.</p>\n"
    + BUTTON.format(url="https://example.com/projects", label="Open the project"),
)
MAILS = (WELCOME, PRICING, TEAM_TIPS, STARTER_TIPS)
