"""What Liquid, Shopify and Customer.io document, case by case; and what hostile templates may cost."""

from __future__ import annotations

import time
import tracemalloc
from typing import Any

import pytest
import time_machine

from events import liquid_engine

VARIABLES: dict[str, Any] = {
    "name": "ada lovelace",
    "html": "<b>Hi & bye</b>",
    "n": 7,
    "price": 19.5,
    "hollow": "",
    "list": ["b", "a", "c", "a"],
    "numbers": [3, 1, 2],
    "people": [
        {"name": "Ada", "age": 36, "team": "x", "lead": True},
        {"name": "Bob", "age": 28, "team": "y"},
        {"name": "Cyd", "age": 41, "team": "x"},
    ],
    "at": "2026-03-02T14:05:09Z",
    "yes": True,
    "no": False,
    "nothing": None,
    "customer": {"first_name": "Ada", "tags": ["vip"]},
    "language": "de",
    "time_zone": "Europe/Vienna",
}


def run(source: str, **more: Any) -> str:
    return liquid_engine.run(source, {**VARIABLES, **more}, {}, escape=False)


CASES = [
    # Output, access, truth
    ("{{ customer.first_name }}", "Ada"),
    ("{{ customer['first_name'] }}", "Ada"),
    ("{{ list[0] }}{{ list[-1] }}", "ba"),
    ("{{ list.first }}{{ list.last }}{{ list.size }}", "ba4"),
    ("{{ people[1].name }}", "Bob"),
    ("{{ missing }}", ""),
    ("{{ missing.deep.er }}", ""),
    ("{{ nothing }}", ""),
    ("{{ yes }}{{ no }}", "truefalse"),
    ("{{ 'text' }}{{ \"text\" }}", "texttext"),
    ("{{ 1.50 }}", "1.5"),
    ("a {{- ' b ' -}} c", "a b c"),
    ("{% if hollow %}yes{% else %}no{% endif %}", "yes"),
    ("{% if hollow == blank %}yes{% endif %}", "yes"),
    ("{% if missing == blank %}yes{% endif %}", "yes"),
    ("{% if hollow == empty %}yes{% endif %}", "yes"),
    ("{% if 0 %}yes{% endif %}", "yes"),
    ("{% if nothing %}yes{% else %}no{% endif %}", "no"),
    # Conditions
    ("{% if n > 5 and n < 9 %}yes{% endif %}", "yes"),
    ("{% if n == 7 or missing %}yes{% endif %}", "yes"),
    ("{% if n != 7 %}yes{% elsif n == 7 %}seven{% endif %}", "seven"),
    ("{% if name contains 'love' %}yes{% endif %}", "yes"),
    ("{% if list contains 'c' %}yes{% endif %}", "yes"),
    ("{% if list contains 'z' %}yes{% else %}no{% endif %}", "no"),
    ("{% unless no %}yes{% endunless %}", "yes"),
    ("{% unless yes %}a{% else %}b{% endunless %}", "b"),
    ("{% case n %}{% when 1 %}one{% when 7 %}seven{% else %}other{% endcase %}", "seven"),
    ("{% case n %}{% when 1, 7 %}some{% endcase %}", "some"),
    ("{% case name %}{% when 'x' %}x{% else %}other{% endcase %}", "other"),
    ("{% if yes and no or yes %}a{% else %}b{% endif %}", "a"),
    ("{% if price >= 19.5 %}yes{% endif %}", "yes"),
    ("{% if 'a' < 'b' %}yes{% endif %}", "yes"),
    # Loops
    ("{% for x in list %}{{ x }}{% endfor %}", "baca"),
    ("{% for x in list limit: 2 %}{{ x }}{% endfor %}", "ba"),
    ("{% for x in list offset: 2 %}{{ x }}{% endfor %}", "ca"),
    ("{% for x in list reversed %}{{ x }}{% endfor %}", "acab"),
    ("{% for x in (1..3) %}{{ x }}{% endfor %}", "123"),
    ("{% for x in missing %}x{% else %}none{% endfor %}", "none"),
    ("{% for x in list %}{% if x == 'a' %}{% break %}{% endif %}{{ x }}{% endfor %}", "b"),
    ("{% for x in list %}{% if x == 'a' %}{% continue %}{% endif %}{{ x }}{% endfor %}", "bc"),
    ("{% for x in list %}{{ forloop.index }}{% endfor %}", "1234"),
    ("{% for x in list %}{{ forloop.index0 }}{% endfor %}", "0123"),
    ("{% for x in list %}{{ forloop.rindex }}{% endfor %}", "4321"),
    ("{% for x in list %}{% if forloop.first %}<{% endif %}{% if forloop.last %}>{% endif %}{% endfor %}", "<>"),
    ("{% for x in list %}{{ x }}{% unless forloop.last %}, {% endunless %}{% endfor %}", "b, a, c, a"),
    ("{% for p in people %}{{ p.name }} {% endfor %}", "Ada Bob Cyd "),
    ("{% for i in (1..4) %}{% cycle 'a', 'b' %}{% endfor %}", "abab"),
    (
        "{% tablerow x in (1..2) cols: 2 %}{{ x }}{% endtablerow %}",
        '<tr class="row1">\n<td class="col1">1</td><td class="col2">2</td></tr>\n',
    ),
    # Variables
    ("{% assign x = 'a' %}{{ x }}", "a"),
    ("{% assign x = name | upcase %}{{ x }}", "ADA LOVELACE"),
    ("{% capture x %}<{{ n }}>{% endcapture %}{{ x }}", "<7>"),
    ("{% increment i %}{% increment i %}", "01"),
    ("{% decrement i %}{% decrement i %}", "-1-2"),
    ("{% comment %}no{% endcomment %}yes", "yes"),
    ("{% raw %}{{ x }}{% endraw %}", "{{ x }}"),
    ("{% liquid\nassign x = 2\necho x | plus: 1\n%}", "3"),
    ("{% echo name | capitalize %}", "Ada lovelace"),
    ("{%- if yes -%} a {%- endif -%} b", "ab"),
    # Texts
    ("{{ name | capitalize }}", "Ada lovelace"),
    ("{{ name | upcase }}", "ADA LOVELACE"),
    ("{{ 'ABC' | downcase }}", "abc"),
    ("{{ name | titlecase }}", "Ada Lovelace"),
    ("{{ name | append: '!' }}", "ada lovelace!"),
    ("{{ name | prepend: '> ' }}", "> ada lovelace"),
    ("{{ name | remove: 'a' }}", "d lovelce"),
    ("{{ name | remove_first: 'a' }}", "da lovelace"),
    ("{{ name | remove_last: 'a' }}", "ada lovelce"),
    ("{{ name | replace: 'a', 'o' }}", "odo loveloce"),
    ("{{ name | replace_first: 'a', 'o' }}", "oda lovelace"),
    ("{{ name | replace_last: 'a', 'o' }}", "ada loveloce"),
    ("{{ name | truncate: 6 }}", "ada..."),
    ("{{ name | truncate: 6, '' }}", "ada lo"),
    ("{{ 'one two three' | truncatewords: 2 }}", "one two..."),
    ("{{ 'one two three' | truncatewords: 2, '--' }}", "one two--"),
    ("{{ '  x ' | strip }}|", "x|"),
    ("{{ '  x ' | lstrip }}|", "x |"),
    ("{{ '  x ' | rstrip }}|", "  x|"),
    ("{{ ' a   b ' | squish }}", "a b"),
    ("{{ html | strip_html }}", "Hi & bye"),
    ("{{ html | escape }}", "&lt;b&gt;Hi &amp; bye&lt;/b&gt;"),
    ("{{ '1 &lt; 2 & 3' | escape_once }}", "1 &lt; 2 &amp; 3"),
    ("{{ 'a\nb' | newline_to_br }}", "a<br />\nb"),
    ("{{ 'a\nb' | strip_newlines }}", "ab"),
    ("{{ 'a b&c' | url_encode }}", "a+b%26c"),
    ("{{ 'a+b%26c' | url_decode }}", "a b&c"),
    ("{{ 'abc' | base64_encode }}", "YWJj"),
    ("{{ 'YWJj' | base64_decode }}", "abc"),
    ("{{ 'Hello' | slice: 1 }}", "e"),
    ("{{ 'Hello' | slice: 1, 3 }}", "ell"),
    ("{{ 'Hello' | slice: -2, 2 }}", "lo"),
    ("{{ 'Hello' | size }}", "5"),
    ("{{ 'a,b' | split: ',' | last }}", "b"),
    ("{{ 'Blue Shoes!' | handleize }}", "blue-shoes"),
    ("{{ 'blue shoes' | camelcase }}", "BlueShoes"),
    ("{{ 1 | pluralize: 'item', 'items' }} {{ 2 | pluralize: 'item', 'items' }}", "item items"),
    ("{{ missing | default: 'x' }}", "x"),
    ("{{ hollow | default: 'x' }}", "x"),
    ("{{ no | default: 'x' }}", "x"),
    ("{{ no | default: 'x', allow_false: true }}", "false"),
    ("{{ name | default: 'x' }}", "ada lovelace"),
    ("{{ 'a' | sha1 }}", "86f7e437faa5a7fce15d1ddcb9eaeaea377667b8"),
    ("{{ 'a' | hmac_sha256: 'key' }}", "780c3db4ce3de5b9e55816fba98f590631d96c075271b26976238d5f4444219b"),
    # Numbers
    ("{{ 4 | plus: 2 }}", "6"),
    ("{{ 4 | minus: 2 }}", "2"),
    ("{{ 3 | times: 2 }}", "6"),
    ("{{ 16 | divided_by: 4 }}", "4"),
    ("{{ 5 | divided_by: 3 }}", "1"),
    ("{{ 20 | divided_by: 8.0 }}", "2.5"),
    ("{{ 7 | modulo: 3 }}", "1"),
    ("{{ -17 | abs }}", "17"),
    ("{{ 1.2 | ceil }}{{ 1.8 | floor }}", "21"),
    ("{{ 2.7 | round }}", "3"),
    ("{{ 183.357 | round: 2 }}", "183.36"),
    ("{{ 4 | at_least: 5 }}{{ 4 | at_most: 3 }}", "53"),
    ("{{ '3' | plus: '4' }}", "7"),
    ("{{ 1234.5 | currency }}", "$1,234.50"),
    ("{{ 123450 | money_without_currency }}", "1,234.50"),
    ("{{ 123400 | money_without_trailing_zeros }}", "$1,234"),
    ("{{ 123450 | money_with_currency: 'EUR' }}", "€1,234.50 EUR"),
    ("{{ 1234.5 | local_number }}", "1.234,5"),
    ("{{ 1234.5 | local_number: 2 }}", "1.234,50"),
    ("{{ 1234.5 | local_currency: 'EUR' }}", "1.234,50\xa0€"),
    ("{{ 0.25 | local_percent }}", "25\xa0%"),
    # Lists
    ("{{ list | join: '-' }}", "b-a-c-a"),
    ("{{ list | sort | join: '' }}", "aabc"),
    ("{{ list | uniq | join: '' }}", "bac"),
    ("{{ list | reverse | join: '' }}", "acab"),
    ("{{ list | first }}", "b"),
    ("{{ list | concat: numbers | size }}", "7"),
    ("{{ people | map: 'name' | join: ',' }}", "Ada,Bob,Cyd"),
    ("{{ people | where: 'team', 'x' | map: 'name' | join: ',' }}", "Ada,Cyd"),
    ("{{ people | where: 'lead' | map: 'name' | join: ',' }}", "Ada"),
    ("{{ people | reject: 'team', 'x' | map: 'name' | join: ',' }}", "Bob"),
    ("{{ people | sort: 'age' | map: 'name' | join: ',' }}", "Bob,Ada,Cyd"),
    ("{{ people | find: 'name', 'Bob' | json }}", '{"name": "Bob", "age": 28, "team": "y"}'),
    ("{{ people | has: 'team', 'y' }}", "true"),
    ("{{ numbers | sum }}", "6"),
    ("{{ people | sum: 'age' }}", "105"),
    ("{{ 'B,a,C' | split: ',' | sort_natural | join: '' }}", "aBC"),
    ("{{ list | compact | size }}", "4"),
    # Time
    ("{{ at | date: '%Y-%m-%d %H:%M' }}", "2026-03-02 14:05"),
    ("{{ at | date: '%d %b %y' }}", "02 Mar 26"),
    ("{{ at | date: '%A' }}", "Monday"),
    ("{{ at | timezone: 'America/New_York' | date: '%H:%M' }}", "09:05"),
    ("{{ at | add_day: 3 | date: '%d' }}", "05"),
    ("{{ at | subtract_month: 1 | date: '%Y-%m' }}", "2026-02"),
    ("{{ '2026-01-31' | add_month: 1 | date: '%m-%d' }}", "02-28"),
    ("{{ at | timestamp }}", "1772460309"),
    ("{{ 'now' | date: '%Y' }}", "2030"),
    ("{{ at | local_date: 'long' }}", "2. März 2026"),
    ("{{ at | local_time }}", "15:05"),
    ("{{ at | local_datetime: 'short' }}", "02.03.26, 15:05"),
    ("{{ 'soon' | local_date }}", "soon"),
    ("{{ missing | local_date }}", ""),
    # Together
    ("{{ customer | json }}", '{"first_name": "Ada", "tags": ["vip"]}'),
    ("{{ name | split: ' ' | first | capitalize }}", "Ada"),
    ("{% if customer.tags contains 'vip' %}vip{% endif %}", "vip"),
    ("{{ n | times: price | round: 1 }}", "136.5"),
]


@pytest.mark.parametrize(("source", "text"), CASES)
def test_documented_behaviour(source: str, text: str) -> None:
    with time_machine.travel("2030-05-06T12:00:00Z", tick=False):
        assert run(source) == text


def test_there_are_enough_cases() -> None:
    assert len(CASES) >= 120


HOSTILE = [
    "{% for a in (1..9999) %}{% for b in (1..9999) %}{% for c in (1..9999) %}x{% endfor %}{% endfor %}{% endfor %}",
    "{% for a in (1..100000000) %}x{% endfor %}",
    "{% assign x = 'aaaaaaaaaa' %}" + "{% assign x = x | append: x %}" * 60 + "{{ x }}",
    "{% assign x = 'a' %}{% for i in (1..9999) %}{% assign x = x | append: x %}{% endfor %}{{ x }}",
    "{% for i in (1..9999) %}{{ '" + "a" * 90 + "' }}{% capture x %}{{ x }}{{ x }}b{% endcapture %}{% endfor %}",
    "{% if a %}" * 500 + "x" + "{% endif %}" * 500,
    "{{ 9999999999 | times: 9999999999 }}" + "{{ n | times: 99999999999999999 }}" * 5000,
    "{% assign x = 9 %}{% for i in (1..9999) %}{% assign x = x | times: x %}{% endfor %}",
    "{{ list | join: 'x' }}" * 100_000,
    "{% assign l = 'a b ' %}{% for i in (1..20) %}{% assign l = l | append: l %}{% endfor %}"
    "{% assign w = l | split: ' ' | uniq %}",
    "{{ 'aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa!' | strip_html | truncatewords: 999999 }}" * 2000,
    "{% tablerow i in (1..9999) cols: 1 %}{% tablerow j in (1..9999) %}x{% endtablerow %}{% endtablerow %}",
    "{{ '" + "<" * 100_000 + "' | strip_html }}",
    "{{ 0 | date: '" + "%c" * 100_000 + "' }}",
    "{{" * 50_000,
    "{% raw %}" * 20_000,
    "{{ x" + ".a" * 50_000 + " }}",
    "{% cycle 'a', 'b' %}" * 50_000 + "{% for i in (1..9999) %}{% increment i %}{% endfor %}",
]


@pytest.mark.parametrize("source", HOSTILE, ids=range(len(HOSTILE)))
def test_a_hostile_template_ends_within_a_second_and_fifty_megabytes(source: str) -> None:
    tracemalloc.start()
    began = time.process_time()
    try:
        run(source)
    except liquid_engine.Fault as fault:
        assert fault.message
    finally:
        seconds, (_, peak) = time.process_time() - began, tracemalloc.get_traced_memory()
        tracemalloc.stop()
    # Watching memory makes it several times as slow; bounds of work do not depend on the machine.
    assert seconds < 6
    assert peak < 50 * 1024 * 1024
