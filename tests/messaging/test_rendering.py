"""From a template's content and what is known to a finished mail."""

from __future__ import annotations

from typing import Any

import pytest

from messaging.checking import problems
from messaging.errors import TemplateError
from messaging.rendering import Rendered, render

UNSUBSCRIBE = "https://acme.example/m/u/abc?x=1&y=2"
VARIABLES: dict[str, Any] = {
    "customer": {"first_name": "<Ada>"},
    "trigger": {"plan": "Pro & more"},
    "unsubscribe_url": UNSUBSCRIBE,
}
LAYOUT = (
    '<html><body class="mail"><main>{{ content }}</main><a href="{{ unsubscribe_url }}">Unsubscribe</a></body></html>'
)


def rendered(unsubscribe_link: bool = False, **content: str) -> Rendered:
    return render({"subject": "Hi", **content}, VARIABLES, unsubscribe_link=unsubscribe_link)


def test_the_subject_is_one_line_of_plain_text() -> None:
    mail = rendered(subject=" Hello {{ customer.first_name }}\nBcc: x@example.com\r\n ")
    assert mail.subject == "Hello <Ada> Bcc: x@example.com"


def test_html_is_escaped_and_text_is_not() -> None:
    mail = rendered(html="<p>{{ customer.first_name }}</p>", text="{{ customer.first_name }}")
    assert mail.html == "<p>&lt;Ada&gt;</p>"
    assert mail.text == "<Ada>"


def test_the_layout_goes_around_the_content_which_is_not_read_as_a_template_again() -> None:
    variables = {**VARIABLES, "customer": {"first_name": "{{ unsubscribe_url }}"}}
    mail = render({"subject": "", "html": "<p>{{ customer.first_name }}</p>", "layout_html": LAYOUT}, variables)
    assert "<main><p>{{ unsubscribe_url }}</p></main>" in mail.html


def test_the_preheader_is_hidden_at_the_beginning_of_the_body() -> None:
    mail = rendered(html="<p>Hello</p>", preheader="{{ trigger.plan }}", layout_html=LAYOUT)
    before, _, after = mail.html.partition('<div style="display:none')
    assert before == '<html><body class="mail">'
    assert "Pro &amp; more" in after.partition("<p>Hello</p>")[0]
    assert mail.preheader == "Pro & more"
    assert "Pro & more" not in mail.text


def test_the_text_part_is_made_from_the_html_with_its_links() -> None:
    mail = rendered(html='<h1>Hello</h1><p>See <a href="https://acme.example/a?b=1&amp;c=2">your plan</a>.</p>')
    assert "Hello" in mail.text
    assert "[your plan](https://acme.example/a?b=1&c=2)" in mail.text
    assert "<" not in mail.text


def test_a_written_text_goes_into_the_layouts_text() -> None:
    mail = rendered(html="<p>x</p>", text="Hello {{ customer.first_name }}", layout_text="== {{ content }} ==")
    assert mail.text == "== Hello <Ada> =="


def test_the_text_has_the_unsubscribe_link_when_the_html_has_it() -> None:
    mail = rendered(html="<p>x</p>", text="Hello", layout_html=LAYOUT)
    assert mail.text == f"Hello\n\nUnsubscribe: {UNSUBSCRIBE}\n"
    assert UNSUBSCRIBE not in rendered(html="<p>x</p>", text="Hello").text


def test_a_mail_that_must_show_a_way_out_gets_one_unless_it_has_it() -> None:
    bare = rendered(True, html="<body><p>x</p></body>", text="Hello")
    assert bare.html.index("Unsubscribe") < bare.html.index("</body>")
    assert UNSUBSCRIBE.replace("&", "&amp;") in bare.html
    assert UNSUBSCRIBE in bare.text
    assert rendered(True, html="<p>x</p>", layout_html=LAYOUT).html.count("Unsubscribe") == 1


def test_a_mail_of_text_alone_stays_one() -> None:
    mail = rendered(True, text="Hello")
    assert mail.html == ""
    assert mail.text == f"Hello\n\nUnsubscribe: {UNSUBSCRIBE}\n"


@pytest.mark.parametrize("address", ["Acme & Sons\n1 Main Street", " Acme & Sons \r\n\n1 Main Street\n"])
def test_the_postal_address_stands_at_the_end_unless_the_mail_shows_it(address: str) -> None:
    known = {"unsubscribe_url": "https://x.example/u", "postal_address": address}
    content = {"subject": "Hi", "html": "<body><p>Hello</p></body>"}
    mail = render(content, known, unsubscribe_link=True)
    assert "Acme &amp; Sons<br>1 Main Street</p></body>" in mail.html
    assert mail.text.endswith("Acme & Sons\n1 Main Street\n")
    own = {"subject": "Hi", "html": "<p>{{ postal_address | newline_to_br }}</p>"}
    shown = render(own, known, unsubscribe_link=True)
    assert shown.html.count("1 Main Street") == 1 and shown.text.count("1 Main Street") == 1
    assert "Main Street" not in render(content, known).html


def test_missing_variables_are_empty_and_named() -> None:
    mail = rendered(subject="Hi {{ customer.nick }}!", html="<p>{{ trigger.shoe }}</p>")
    assert mail.subject == "Hi !"
    assert mail.missing == ("customer.nick", "trigger.shoe")


def test_an_error_names_field_line_and_cause() -> None:
    with pytest.raises(TemplateError) as caught:
        rendered(html="<p>\n{{ customer.first_name | shout }}</p>")
    assert (caught.value.field, caught.value.line) == ("html", 2)
    assert str(caught.value) == "html, line 2: unknown filter 'shout'"


def test_characters_that_no_database_stores_are_left_out() -> None:
    assert rendered(text="a{{ '%00' | url_decode }}b").text == "ab"


def test_a_good_template_has_no_problems() -> None:
    assert (
        problems({"subject": "Hi", "html": "<p>x</p>", "layout_html": LAYOUT, "layout_text": "{{- content -}}"}) == []
    )


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        ({"subject": " ", "html": "x"}, "subject: A mail needs a subject."),
        ({"subject": "Hi", "html": ""}, "html: The mail is empty."),
        ({"subject": "{{ x", "html": "x"}, "subject, line 1: expected '}}', found end of file"),
        ({"subject": "Hi", "html": "{{ x | shout }}"}, "html, line 1: unknown filter 'shout'"),
        (
            {"subject": "Hi", "html": "x", "layout_html": "<p>content</p>"},
            "layout_html: The layout has no {{ content }}, so the mail would be missing.",
        ),
    ],
)
def test_problems_are_found_before_anybody_is_written_to(content: dict[str, str], problem: str) -> None:
    assert problems(content) == [problem]
