"""The list of variables that an author can insert."""

from __future__ import annotations

from messaging.admin.insertable import LIMIT, group


def codes(values: dict[str, object]) -> dict[str, str]:
    return {variable.code: variable.example for variable in group("Person", "customer", values).variables}


def test_plain_values_come_with_their_example() -> None:
    assert codes({"plan": "pro", "seats": 3, "trial": True}) == {
        "{{ customer.plan }}": "pro",
        "{{ customer.seats }}": "3",
        "{{ customer.trial }}": "true",
    }


def test_odd_names_are_put_in_quotes() -> None:
    assert list(codes({"favourite colour": "green", 'say "hi"': 1})) == [
        '{{ customer["favourite colour"] }}',
        "{{ customer['say \"hi\"'] }}",
    ]


def test_nested_values_are_reached_by_their_path() -> None:
    assert codes({"company": {"name": "Acme", "address": {"city": "Vienna"}}}) == {
        "{{ customer.company.address.city }}": "Vienna",
        "{{ customer.company.name }}": "Acme",
    }


def test_lists_are_inserted_as_a_loop() -> None:
    assert codes({"tags": ["a", "b"]}) == {
        "{% for item in customer.tags %}{{ item }}{% endfor %}": "a list of 2",
    }


def test_nothing_is_offered_for_a_value_that_is_not_there() -> None:
    assert codes({"plan": None}) == {}


def test_long_examples_and_long_lists_are_cut() -> None:
    assert len(next(iter(codes({"bio": "x" * 500}).values()))) == 60
    assert len(codes({f"trait_{number:04}": 1 for number in range(500)})) == LIMIT
