"""What templates are made of: snippets, languages, MJML, inlined styles, feeds; and what authors are told."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from django.core.cache import cache
from django.test import Client
from hypothesis import given
from hypothesis import strategies as st
from pytest_django import Settings

from campaigns.models import Campaign
from events.models import EventDefinition, Profile, PropertyStat
from messaging import checking, compiling, delivery, feeds, links, linting, preview, segments, usage, versions
from messaging.admin import history
from messaging.errors import SendError, TemplateError
from messaging.models import Feed, Message, SendingLimits, Snippet, Template, TemplateTranslation, TemplateVersion
from messaging.rendering import Rendered, localised, render
from tests.campaigns.flow import make_campaign, send
from tests.factories import make_message, make_profile, make_provider, make_template, make_version
from tests.fakes import Answer, Call, Service

TEMPLATES = "/admin/messaging/template/"
MJML = """<mjml><mj-head><mj-style>.x { color: red }</mj-style></mj-head><mj-body><mj-section><mj-column>
{% for item in trigger.items %}<mj-text css-class="x">{{ item }}</mj-text>{% endfor %}
</mj-column></mj-section></mj-body></mjml>"""


@pytest.fixture
def ada(db: None) -> Profile:
    return make_profile("ada", traits={"email": "ada@example.com", "first_name": "Ada"}, language="de-AT")


def deliver(profile: Profile, template: Template, **variables: Any) -> Message:
    message = make_message(profile, template_version=versions.freeze(template), variables={"trigger": variables})
    delivery.deliver_due(float("inf"))
    return Message.objects.select_related("body").get(pk=message.pk)


# --- Compiling -------------------------------------------------------------------------------------------------------


def test_loops_stay_in_tables_and_styles_go_into_the_tags() -> None:
    source = "<style>td { color: red }</style><table>{% for x in list %}<tr><td>{{ x }}</td></tr>{% endfor %}</table>"
    html = compiling.inlined(source)
    assert html.index("<table>") < html.index("{% for") < html.index("<tr>") < html.index("{% endfor %}")
    assert '<td style="color: red;">{{ x }}</td>' in html


def test_media_queries_stay() -> None:
    html = compiling.inlined("<style>p{color:red}@media (max-width:600px){p{color:blue}}</style><p>x</p>")
    assert "@media (max-width:600px)" in html
    assert '<p style="color: red;">' in html


def test_what_looks_like_html_within_liquid_is_left_alone() -> None:
    source = """<style>p{color:red}</style><p {% if a > b %}class="k"{% endif %}>{{ x | default: "<b> & 'q'" }}</p>"""
    html = compiling.inlined(source)
    assert """{{ x | default: "<b> & 'q'" }}""" in html
    assert "{% if a > b %}" in html and 'class="k"' in html


@given(
    st.lists(st.sampled_from(["{{ a }}", "{% if a %}", "{% endif %}", "<b>", "</b>", "<p class='x'>", "</p>", "text"]))
)
def test_no_tag_of_liquid_is_lost_or_changed_by_the_inliner(parts: list[str]) -> None:
    html = compiling.inlined("<style>p{color:red}</style>" + "".join(parts))
    assert compiling.LIQUID.findall(html) == [part for part in parts if part.startswith("{")]


def test_the_text_part_is_made_once_with_its_liquid() -> None:
    html = "<h1>Hi {{ n }}</h1><ul>{% for i in l %}<li>{{ i }}</li>{% endfor %}</ul><p><a href='{{ u }}'>Go</a></p>"
    text = compiling.text_of({"html": html})
    done = render(
        {"subject": "x", "html": html, "compiled_text": text}, {"n": "A & B", "l": [1, 2], "u": "https://a.example"}
    )
    assert done.text == "Hi A & B\n\n  * 1\n  * 2\n\n[Go](https://a.example)\n"
    assert compiling.text_of({"html": "{{ x | safe }}"}) == ""


@pytest.mark.django_db
def test_mjml_becomes_a_mail_with_its_loop(ada: Profile) -> None:
    make_provider(is_default=True)
    template = make_template(markup="mjml", html=MJML)
    assert checking.problems(versions.content_of(template)) == []
    message = deliver(ada, template, items=["one", "two"])
    assert message.body.html.count("color: red") + message.body.html.count("color:red") >= 2
    assert "one" in message.body.html and "two" in message.body.html
    assert "<mj-" not in message.body.html
    assert "one" in message.body.text


@pytest.mark.django_db
def test_what_cannot_be_put_together_is_said() -> None:
    def wrong(**columns: Any) -> str:
        return " ".join(checking.problems(versions.content_of(make_template(**columns))))

    assert "not valid MJML" in wrong(markup="mjml", html="<mjml><mj-body><mj-section></mjml>")
    assert "no snippet “nope”" in wrong(html="{{ snippets.nope }}")
    assert "no feed “nope”" in wrong(html="{{ feeds.nope.x }}")
    Snippet.objects.create(slug="loop", content="a {{ snippets.loop }}")
    assert "contains itself" in wrong(html="{{ snippets.loop }}")
    template = make_template()
    TemplateTranslation.objects.create(template=template, language="de", html="{% if %}")
    assert "in de:" in " ".join(checking.problems(versions.content_of(template)))


# --- Snippets, languages, feeds --------------------------------------------------------------------------------------


def test_snippets_stand_in_place_and_a_version_keeps_them(ada: Profile) -> None:
    make_provider(is_default=True)
    outer = Snippet.objects.create(slug="footer", content="<p>{{ snippets.sign }}</p>")
    Snippet.objects.create(slug="sign", content="{{ customer.first_name }} & co")
    template = make_template(html="<p>Hi</p>{{ snippets.footer }}")
    version = versions.freeze(template)
    outer.content = "<p>Other</p>"
    outer.save()
    assert "Ada & co" in deliver_version(ada, version).body.html.replace("&amp;", "&")
    assert versions.freeze(template).number == version.number + 1
    assert [use.name for use in usage.of_snippet(outer)] == [template.name]


def deliver_version(profile: Profile, version: TemplateVersion) -> Message:
    message = make_message(profile, template_version=version)
    delivery.deliver_due(float("inf"))
    return Message.objects.select_related("body").get(pk=message.pk)


def test_everybody_reads_their_language_or_the_next_best(ada: Profile) -> None:
    make_provider(is_default=True)
    template = make_template(subject="Hello", html="<p>{{ trigger.at | local_date: 'long' }}</p>")
    TemplateTranslation.objects.create(template=template, language="DE", subject="Hallo {{ customer.first_name }}")
    message = deliver(ada, template, at="2026-03-02T10:00:00Z")
    assert message.subject == "Hallo Ada"
    assert "2. März 2026" in message.body.html
    eve = make_profile("eve", traits={"email": "eve@example.com"}, language="fr")
    message = deliver(eve, template, at="2026-03-02T10:00:00Z")
    assert message.subject == "Hello"
    assert "March 2, 2026" in message.body.html
    content = {"subject": "a", "languages": {"pt-br": {"subject": "b"}, "pt": {"subject": "c"}}}
    assert [localised(content, wanted)["subject"] for wanted in ("pt-BR", "pt_PT", "pt", "en", "")] == list("bccaa")


class Shop(Service):
    status, reply = 200, {"items": [{"title": "Lamp"}]}

    def answer(self, call: Call) -> Answer:
        return self.status, self.reply, {}


@pytest.fixture
def shop(settings: Settings) -> Iterator[Shop]:
    settings.CALLS_TO_PRIVATE_ADDRESSES = True
    cache.clear()
    with Shop() as running:
        yield running


def test_a_feed_is_asked_once_for_many_and_falls_back(ada: Profile, shop: Shop) -> None:
    make_provider(is_default=True)
    feed = Feed.objects.create(slug="offers", url=shop.url + "?for={{ customer.language }}")
    template = make_template(html="<p>{{ feeds.offers.items[0].title }}</p>")
    people = [ada] + [make_profile(email=f"p{n}@example.com", language="de-AT") for n in range(5)]
    assert [("Lamp" in deliver(person, template).body.html) for person in people] == [True] * 6
    assert [call.path for call in shop.calls] == ["/?for=de-AT"]
    cache.clear()
    shop.status = 500
    message = make_message(ada, template_version=versions.freeze(template))
    delivery.deliver_due(float("inf"))
    message.refresh_from_db()
    assert (message.status, message.attempts) == ("queued", 1)
    assert "did not answer" in message.detail
    cache.clear()
    feed.fallback = {"items": [{"title": "Chair"}]}
    feed.save()
    Message.objects.update(due_at=ada.created_at)
    delivery.deliver_due(float("inf"))
    message.refresh_from_db()
    assert "Chair" in message.body.html


def test_a_feed_that_is_too_long_or_no_json_or_private_is_none(shop: Shop, settings: Settings, db: None) -> None:
    feed = Feed.objects.create(slug="offers", url=shop.url)
    shop.reply = {"x": "y" * 300_000}
    assert "longer than" in feeds.fetch(feed, shop.url).problem
    settings.CALLS_TO_PRIVATE_ADDRESSES = False
    feeds._mine.__dict__.clear()
    assert "private network" in feeds.fetch(feed, shop.url).problem
    feeds._mine.__dict__.clear()
    with feeds.offline():
        assert "tried out" in feeds.ask(feed, shop.url + "other").problem
    with pytest.raises(TemplateError, match="no feed"):
        feeds.Reader([]).read(["offers"], {})
    with pytest.raises(SendError):
        feeds.Reader(["offers"]).read(["offers"], {})


# --- What authors are told -------------------------------------------------------------------------------------------


def test_how_often_a_variable_is_missing_is_said(db: None) -> None:
    definition = EventDefinition.objects.create(name="Visited Pricing Page", observed=10_000)
    for path, filled in (("plan_name", 9_300), ("seats", 10_000)):
        PropertyStat.objects.create(
            definition=definition, path=path, filled=filled, types={"string": filled}, last_seen_at="2026-01-01T00:00Z"
        )

    def said(html: str) -> list[str]:
        return [f"{lack.words} {lack.advice}" for lack in linting.lacking({"html": html}, "Visited Pricing Page")]

    (words,) = said("{{ trigger.plan_name }}")
    assert "missing in 7 % of the last 10,000 “Visited Pricing Page”" in words
    assert said("{{ trigger.plan_name | default: 'your' }} {{ event.seats }}") == []
    assert said("{% if trigger.plan_name %}{{ trigger.plan_name }}{% endif %}") == []
    (words,) = said("{{ trigger.plan_nme | default: '' }}")
    assert "Did you mean trigger.plan_name?" in words


@pytest.mark.parametrize(
    ("html", "said"),
    [
        ("<p>x</p>" + "<!-- -->" * 14_000, "Gmail shows 102 KB"),
        ('<a href="">Go</a>', "leads nowhere"),
        ('<a href="www.acme.example">Go</a>', "do not open"),
        ('<a href="https://a.example">click here</a>', "screen readers"),
        ('<img src="https://a.example/x.png"><p>' + "Many words. " * 10 + "</p>", "no alt text"),
        ('<img src="https://a.example/x.png" alt="x">', "hardly any text"),
        ('<p style="color:#999999">Pale</p>', "hard to read"),
        ('<div style="background:#ffffff"><p style="color:#eeeeee">Pale</p></div>', "contrast is 1.2"),
        ('<p style="color:#333333">Fine</p><a href="https://a.example/shop">To the shop</a>', ""),
    ],
)
def test_what_mail_programs_and_people_stumble_over_is_said(html: str, said: str) -> None:
    found = " ".join(linting.of_mail(Rendered("s", "", html, "")))
    assert (said in found) if said else not found


@pytest.mark.parametrize(
    ("text", "parts", "left"),
    [
        ("", 0, 160),
        ("a" * 160, 1, 0),
        ("a" * 161, 2, 145),
        ("€" * 80, 1, 0),
        ("ü" * 160, 1, 0),
        ("я" * 71, 2, 63),
        ("😀", 1, 68),
    ],
)
def test_parts_of_a_text_message_are_counted(text: str, parts: int, left: int) -> None:
    found = segments.count(text)
    assert (found.count, found.left) == (parts, left)


# --- Pages -----------------------------------------------------------------------------------------------------------


def test_versions_are_compared_and_brought_back(admin_client: Client, ada: Profile) -> None:
    template = make_template(subject="One", html="<p>One</p>\n<p>Same</p>")
    url = f"{TEMPLATES}{template.pk}/versions/"
    admin_client.post(url, {"note": "The first"})
    template.subject, template.html = "Two", "<p>Two</p>\n<p>Same</p>"
    template.save()
    text = admin_client.get(url).content.decode()
    assert "The first" in text
    assert "- &lt;p&gt;One&lt;/p&gt;" in text and "+ &lt;p&gt;Two&lt;/p&gt;" in text
    admin_client.post(f"{TEMPLATES}{template.pk}/restore/1/")
    template.refresh_from_db()
    assert (template.subject, template.versions.count()) == ("One", 2)
    assert list(history.differences(template.versions.get(number=1).content, versions.content_of(template))) == []


def test_what_was_put_together_is_stored_and_what_was_there_kept(admin_client: Client, db: None) -> None:
    template = make_template(html="<p>Before</p>")
    url = f"{TEMPLATES}{template.pk}/visual/"
    assert "mj-body" in admin_client.get(url).content.decode()
    assert b"not saved" in admin_client.post(url, {"mjml": "<mjml><mj-body>"}, follow=True).content
    text = "<mj-text>{{ a | default: &quot;x&quot; }}</mj-text>"
    said = f"<mjml><mj-body><mj-section><mj-column>{text}</mj-column></mj-section></mj-body></mjml>"
    admin_client.post(url, {"mjml": said})
    template.refresh_from_db()
    assert (template.markup, '{{ a | default: "x" }}' in template.html) == ("mjml", True)
    assert template.versions.get().content["html"] == "<p>Before</p>"


def test_a_template_says_where_it_is_used(admin_client: Client, db: None) -> None:
    make_template("Hello")
    campaign: Campaign = make_campaign(send(), name="Welcome")
    template = Template.objects.get(pk=campaign.draft["steps"][0]["template"])
    assert "Welcome" in admin_client.get(f"{TEMPLATES}{template.pk}/change/").content.decode()


def test_the_editor_keeps_what_the_channel_has_and_forgets_the_rest(admin_client: Client, db: None) -> None:
    rows = {"translations-TOTAL_FORMS": "0", "translations-INITIAL_FORMS": "0"}
    said = {
        "name": "Card",
        "channel": "in_app",
        "purpose": "marketing",
        "subject": "Hi",
        "text": "",
        "html": "<p>no</p>",
    }
    response = admin_client.post(
        f"{TEMPLATES}add/", {**rows, **said, "option_url": "https://a.example", "option_style": "modal"}
    )
    assert response.status_code == 302, response.context["adminform"].form.errors
    template = Template.objects.get()
    assert (template.channel, template.html) == ("in_app", "")
    assert template.options == {"url": "https://a.example", "style": "modal"}
    hook = {**rows, "name": "Hook", "channel": "webhook", "text": "{}"}
    assert b"Which address is to be called" in admin_client.post(f"{TEMPLATES}add/", hook).content
    admin_client.post(f"{TEMPLATES}add/", {**hook, "option_url": "https://crm.example"})
    assert Template.objects.get(name="Hook").purpose == "transactional"


def test_languages_are_edited_beside(admin_client: Client, db: None) -> None:
    said = {"name": "Mail", "channel": "email", "purpose": "marketing", "subject": "Hi", "html": "<p>Hi</p>"}
    rows = {"translations-TOTAL_FORMS": "1", "translations-INITIAL_FORMS": "0", "translations-0-language": "de"}
    bad = admin_client.post(f"{TEMPLATES}add/", {**said, **rows, "translations-0-html": "{% if %}"})
    assert b"in de:" in bad.content
    admin_client.post(f"{TEMPLATES}add/", {**said, **rows, "translations-0-subject": "Hallo"})
    assert TemplateTranslation.objects.get().subject == "Hallo"


# --- Links -----------------------------------------------------------------------------------------------------------


def test_a_mail_can_be_read_in_a_browser_that_runs_nothing(ada: Profile, client: Client) -> None:
    make_provider(is_default=True)
    template = make_template(html='<p>Hi</p><script>1</script><a href="{{ view_in_browser_url }}">Browser</a>')
    message = deliver(ada, template)
    url = links.view_url(message.public_id)
    assert url in message.body.html
    page = client.get(url.removeprefix(links.settings.BASE_URL))
    assert "<p>Hi</p>" in page.content.decode()
    assert page["Content-Security-Policy"].startswith("sandbox")
    assert "/m/o/" not in page.content.decode()
    assert client.get("/m/v/nonsense").status_code == 404


def test_links_are_tagged_where_that_is_wanted(ada: Profile) -> None:
    make_provider("Account", "smtp", is_default=True)
    SendingLimits.objects.create(pk=1, utm_source="news")
    html = '<a href="https://a.example/x?y=1&amp;z=2">a</a><a href="https://b.example/?utm_source=own">b</a>'
    tagged = links.tagged(html, {"utm_source": "news", "utm_medium": "email"})
    assert 'href="https://a.example/x?y=1&amp;z=2&amp;utm_source=news&amp;utm_medium=email"' in tagged
    assert 'href="https://b.example/?utm_source=own"' in tagged


def test_a_preview_shows_what_a_version_would_be(ada: Profile) -> None:
    template = make_template(markup="mjml", html=MJML)
    assert "<table" in preview.preview(template, ada, None).html
    assert make_version(template).content["compiled"].count("{% for") == 1


# --- Tests of a template on other channels ---------------------------------------------------------------------------


def test_a_test_goes_where_its_channel_goes(admin_client: Client, ada: Profile) -> None:
    make_provider(kind="mailbox", is_default=True)
    make_provider(kind="in_app", is_default=True)
    rows = {"translations-TOTAL_FORMS": "0", "translations-INITIAL_FORMS": "0"}

    def said(template: Template, address: str = "") -> str:
        form = {"name": template.name, "channel": template.channel, "purpose": template.purpose, **rows}
        form |= {"subject": template.subject, "text": template.text, "html": "", "layout": "", "from_email": ""}
        form |= {"preheader": "", "reply_to": "", "profile": ada.pk, "event": "", "address": address}
        return admin_client.post(f"{TEMPLATES}{template.pk}/test/", form).content.decode()

    text = make_template(channel="sms", subject="", html="", text="Hi")
    assert "Write the number" in said(text, "ada@example.com")
    assert "on its way" in said(text, "0043 660 1234567")
    card = make_template(channel="in_app", html="")
    assert "choose a test person" in said(card)
    Profile.objects.update(is_test=True)
    assert "on its way" in said(card)
    assert set(Message.objects.values_list("channel", "address")) == {("sms", "+436601234567"), ("in_app", "in_app")}
