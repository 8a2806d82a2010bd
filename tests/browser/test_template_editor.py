"""The template editor and the visual editor in a real Chromium: write, complete, look, put together, save."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from django.conf import settings
from django.contrib.auth.models import User
from django.test import Client
from playwright.sync_api import Page, expect, sync_playwright

from events.models import EventDefinition, PropertyStat
from messaging.models import Template, TemplateTranslation
from tests.browser.visiting import OPTIONS
from tests.factories import make_event, make_profile, make_provider, make_source, make_template

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.browser]


@pytest.fixture
def template() -> Template:
    make_provider(is_default=True)
    ada = make_profile("ada", traits={"email": "ada@example.com", "first_name": "Ada"}, language="de")
    make_event(ada, "Visited Pricing Page", {"plan_name": "Pro"}, source=make_source())
    definition = EventDefinition.objects.create(name="Visited Pricing Page", observed=100)
    PropertyStat.objects.create(
        definition=definition, path="plan_name", filled=93, types={"string": 93}, last_seen_at="2026-01-01T00:00Z"
    )
    made = make_template("Mail", subject="Hello", html='<p>Hi</p><img src="https://a.example/x.png">')
    TemplateTranslation.objects.create(template=made, language="de", subject="Hallo")
    return made


@pytest.fixture
def page(browser_path: str, live_server: object, template: Template) -> Iterator[tuple[Page, str]]:
    client, base = Client(), str(live_server)
    client.force_login(User.objects.create_superuser("author", "author@example.com"))
    cookie = {"name": settings.SESSION_COOKIE_NAME, "value": client.cookies[settings.SESSION_COOKIE_NAME].value}
    url = f"{base}/admin/messaging/template/{template.pk}"
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=browser_path, args=OPTIONS)
        context = browser.new_context(viewport={"width": 1280, "height": 900})
        context.add_cookies([{**cookie, "url": base}])
        opened = context.new_page()
        complaints: list[str] = []
        opened.on("pageerror", lambda error: complaints.append(str(error)))
        yield opened, url
        assert complaints == []
        browser.close()


def test_code_is_completed_and_the_preview_follows(page: tuple[Page, str]) -> None:
    opened, url = page
    opened.goto(f"{url}/change/")
    expect(opened.locator(".cbm-inbox-line")).to_contain_text("Hallo", timeout=20_000)
    opened.get_by_label("In", exact=True).select_option(label="the template's own language")
    expect(opened.locator(".cbm-inbox-line")).to_contain_text("Hello")
    code = opened.locator(".field-html .cm-content, .cm-content").first
    code.click()
    opened.keyboard.press("Control+End")
    opened.keyboard.type("<p>{{ trigger.pl", delay=30)
    option = opened.locator(".cm-tooltip-autocomplete li").first
    expect(option).to_contain_text("plan_name")
    expect(option).to_contain_text("93 %")
    # For a moment after it has opened, the list takes no Enter: whoever types fast did not mean it.
    opened.wait_for_timeout(300)
    opened.keyboard.press("Enter")
    opened.keyboard.type(" }}</p>")
    frame = opened.frame_locator(".cbm-paper--light iframe")
    expect(frame.get_by_text("Pro", exact=True)).to_be_visible(timeout=15_000)
    notes = opened.locator("#cbm-notes")
    expect(notes).to_contain_text("missing in 7 % of the last 100 “Visited Pricing Page”")
    expect(notes).to_contain_text("no alt text")
    assert opened.locator(".cbm-paper iframe").first.get_attribute("sandbox") == ""
    for view in ("Dark", "No pictures", "Text", "Phone"):
        opened.get_by_role("button", name=view, exact=True).click()
        expect(opened.get_by_role("button", name=view, exact=True)).to_have_attribute("aria-pressed", "true")
    opened.get_by_role("button", name="Save and continue editing").click()
    opened.wait_for_load_state()
    html = opened.evaluate("document.getElementById('id_html').value")
    assert "<p>{{ trigger.plan_name" in html


def test_a_mail_is_put_together_by_drag_and_drop(page: tuple[Page, str], template: Template) -> None:
    opened, url = page
    opened.goto(f"{url}/visual/")
    opened.wait_for_function(
        "() => window.cuebirdVisual && cuebirdVisual.getHtml().includes('mj-body')", timeout=30_000
    )
    opened.wait_for_timeout(1500)
    block = opened.locator(".gjs-block", has_text="Divider").first
    expect(block).to_be_visible()
    target = opened.frame_locator(".gjs-frame").get_by_text("What do you want to say?")
    here, there = block.bounding_box(), target.bounding_box()
    assert here and there
    opened.mouse.move(here["x"] + here["width"] / 2, here["y"] + 20)
    opened.mouse.down()
    for step in range(1, 11):
        x = here["x"] + (there["x"] + there["width"] / 2 - here["x"]) * step / 10
        opened.mouse.move(x, here["y"] + (there["y"] + there["height"] - 2 - here["y"]) * step / 10)
        opened.wait_for_timeout(60)
    opened.mouse.up()
    opened.wait_for_timeout(500)
    assert "<mj-divider" in opened.evaluate("cuebirdVisual.getHtml()")
    opened.get_by_role("button", name="Save").click()
    opened.wait_for_url("**/change/**")
    source = opened.evaluate("document.getElementById('id_html').value")
    assert "<mj-divider" in source and '{{ customer.first_name | default: "there" }}' in source
    expect(opened.frame_locator(".cbm-paper--light iframe").get_by_text("Hello Ada")).to_be_visible(timeout=20_000)
