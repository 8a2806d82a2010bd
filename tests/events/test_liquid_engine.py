"""Liquid within bounds: what templates mean, and what becomes of hostile ones."""

from __future__ import annotations

import time
from typing import Any

import pytest

from events import liquid_engine
from events.liquid_engine import Fault

VARIABLES: dict[str, Any] = {
    "customer": {
        "first_name": "ada",
        "nothing": None,
        "vacant": "",
        "script": "<script>",
        "packed": "PHNjcmlwdD4=",
        "list": ["<b>", 1],
    },
    "event": {"items": [{"n": "A"}, {"n": "B"}]},
}


def run(source: str, *, escape: bool = True) -> str:
    return liquid_engine.run(source, VARIABLES, {}, escape=escape)


def missing(source: str) -> list[str]:
    found: dict[str, None] = {}
    liquid_engine.run(source, VARIABLES, found, escape=False)
    return list(found)


@pytest.mark.parametrize(
    ("source", "text"),
    [
        ("Hi {{ customer.first_name | capitalize }}!", "Hi Ada!"),
        ("{% for i in event.items %}{{ i.n }}{{ forloop.index }}{% endfor %}", "A1B2"),
        ("{% for i in event.none %}{{ i }}{% else %}-{% endfor %}", "-"),
        ("{% assign x = customer.first_name | upcase %}{{ x }}", "ADA"),
        ("[{{ customer.unknown }}][{{ customer.a.b.c }}][{{ nobody }}]", "[][][]"),
        ("{{ customer.unknown | default: 'friend' }}", "friend"),
    ],
)
def test_renders(source: str, text: str) -> None:
    assert run(source) == text


@pytest.mark.parametrize("name", ["unknown", "nothing", "vacant"])
@pytest.mark.parametrize(
    "source",
    [
        "{{% if customer.{} != blank %}}no{{% else %}}yes{{% endif %}}",
        "{{% if customer.{} == blank %}}yes{{% endif %}}",
        "{{% if blank != customer.{} %}}no{{% else %}}yes{{% endif %}}",
        "{{% unless customer.{} == blank %}}no{{% else %}}yes{{% endunless %}}",
        "{{% case customer.{} %}}{{% when blank %}}yes{{% else %}}no{{% endcase %}}",
        "{{% if customer.first_name == blank or customer.{} == blank %}}yes{{% endif %}}",
    ],
)
def test_what_is_not_there_is_blank(source: str, name: str) -> None:
    assert run(source.format(name)) == "yes"


def test_what_is_there_is_not_blank() -> None:
    assert run("{% if customer.first_name != blank %}Hello {{ customer.first_name }}{% endif %}") == "Hello ada"


@pytest.mark.parametrize(
    "source",
    [
        "{{ customer.script }}",
        "{{ customer.packed | base64_decode }}",
        "{{ customer.script | append: '<i>' }}",
        "{{ customer.script | url_encode | url_decode }}",
        "{{ customer.script | replace: 'z', '<' }}",
        "{{ customer.list | join: customer.script }}",
        "{{ customer.script | json }}{{ customer.script | date: '%Y' }}{{ 'now' | date: customer.script }}",
        "{% assign x = customer.script %}{% capture y %}{{ x }}{% endcapture %}{{ y }}",
        "{{ customer }}",
    ],
)
def test_html_is_escaped(source: str) -> None:
    assert "<script>" not in run(source)


def test_text_is_not_escaped() -> None:
    assert run("{{ customer.script }}", escape=False) == "<script>"


def test_names_what_should_have_been_written() -> None:
    loop = "{% for i in event.none %}{% endfor %}"
    source = "{{ customer.shoe_size }}{{ event.plan | upcase }}" + loop + "{{ customer.first_name }}"
    assert missing(source) == ["customer.shoe_size", "event.plan", "event.none"]


def test_what_a_template_provides_for_is_not_missing() -> None:
    assert (
        missing("{% if customer.x %}{% endif %}{% if customer.y != blank %}{% endif %}{{ customer.z | default: 1 }}")
        == []
    )


@pytest.mark.parametrize(
    ("source", "line", "words"),
    [
        ("a\n{{ customer.first_name | shout }}", 2, "unknown filter 'shout'"),
        ("a\n\n{% shout %}", 3, "unexpected tag 'shout'"),
        ("a\n{{ customer.first_name", 2, "expected '}}'"),
        ("a\n{% if customer.x %}\nb", 3, "expected tag endif"),
        ("{% for x in %}", 1, "found the end"),
        ("{% include 'footer' %}", 1, "unexpected tag 'include'"),
        ("a\n{{ 1 | divided_by: 0 }}", 2, "can't divide by 0"),
    ],
)
def test_says_what_is_wrong_and_where(source: str, line: int, words: str) -> None:
    with pytest.raises(Fault, match=words) as caught:
        run(source)
    assert caught.value.line == line


HOSTILE = {
    "an endless range": "{% for i in (1..999999999) %}x{% endfor %}",
    "a search in an endless range": "{% assign r = (1..999999999999) %}{% if r contains 'x' %}a{% endif %}",
    "an endless list": "{{ (1..99999999) | join }}",
    "nested loops": "{% for a in (1..9999) %}{% for b in (1..9999) %}{% endfor %}{% endfor %}",
    "loops one after another": "{% for a in (1..9999) %}{% if true %}{% endif %}{% endfor %}" * 2000,
    "a text that doubles": "{% assign s='aaaaaaaaaa' %}" + "{% assign s = s | append: s %}" * 60,
    "a text that squares": "{% assign s='aaaaaaaaaa' %}" + "{% assign s = s | replace: 'a', s %}" * 10,
    "a number that squares": "{% assign n=9 %}{% for i in (1..1000) %}{% assign n = n | times: n %}{% endfor %}{{ n }}",
    "a flood of text": "{% for i in (1..10000) %}" + "x" * 10000 + "{% endfor %}",
    "a captured flood": "{% for i in (1..10000) %}{% capture x %}" + "x" * 10000 + "{% endcapture %}{% endfor %}",
    "deep nesting": "{% if true %}" * 5000 + "{% endif %}" * 5000,
    "deep brackets": "{{ a" + "[a" * 20000 + "]" * 20000 + " }}",
    "a long condition": "{% if " + " and ".join(["1==1"] * 10000) + " %}{% endif %}",
    "openings without an end": "{% comment %}" + "{% raw %}" * 20000,
    "braces without an end": "{% comment %}" + "{{ " * 60000,
    "blanks without an end": "{{" + " " * 200000,
    "cases within cases": ("{% case 1 %}{% when " + ",".join(["1"] * 2000) + " %}") * 3 + "{% endcase %}" * 3,
    "sorting again and again": "{% assign l = '" + "a,b," * 2400 + "' | split: ',' %}"
    "{% for i in (1..9000) %}{% assign z = l | sort %}{% endfor %}",
    "words again and again": "{% assign s = '" + "a " * 90000 + "' %}"
    "{% for i in (1..10000) %}{% assign z = s | truncatewords: 3 %}{% endfor %}",
    "too much of it": "{{ x }}" * 50000,
}


@pytest.mark.parametrize("kind", HOSTILE)
def test_a_hostile_template_ends_quickly_with_an_error(kind: str) -> None:
    began = time.process_time()
    with pytest.raises(Fault):
        run(HOSTILE[kind])
    assert time.process_time() - began < 4


@pytest.mark.parametrize(
    "source",
    [
        "{{ 'now' | date: '%0999999999d' }}",
        "{{ 1.5 | round: 99999999999 }}",
        "{{ 'abc' | slice: 0, 99999999999999999999 }}",
        "{{ event.items[99999999999999999999999] }}",
        "{{ '1e99999999' | format_number }}",
        "{{ 1e308 | times: 1e308 | ceil }}",
        "{{ 99999999999999999999999999999999999 | date: '%Y' }}",
        "{{ '<' | base64_decode }}",
        "{{ customer.list | sort }}{{ customer | sort }}{{ event.items | sum }}",
    ],
)
def test_odd_values_are_an_error_of_the_template_or_none(source: str) -> None:
    try:
        run(source)
    except Fault as fault:
        assert fault.message


def test_a_template_is_parsed_once() -> None:
    assert liquid_engine.parse("Hi {{ x }}", True) is liquid_engine.parse("Hi {{ x }}", True)


def test_a_long_but_honest_template_renders() -> None:
    row = "<tr><td>{{ item.name | escape }}</td><td>{{ item.price | currency }}</td></tr>"
    rows = "{% for item in items %}" + row + "{% endfor %}"
    items = [{"name": f"Thing {n}", "price": n} for n in range(500)]
    text = liquid_engine.run(rows * 10, {"items": items}, {}, escape=True)
    assert text.count("<tr>") == 5000
