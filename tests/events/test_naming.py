from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from events import naming


@pytest.mark.parametrize(
    ("name", "better"),
    [
        ("add_to_cart", "Cart Added"),
        ("Sign Up", "Signed Up"),
        ("sign_up", "Signed Up"),
        ("log in", "Logged In"),
        ("order complete", "Order Completed"),
        ("complete order", "Order Completed"),
        ("Page View", "Page Viewed"),
        ("productViewed", "Product Viewed"),
        ("Clicked Button", "Button Clicked"),
        ("order-paid", "Order Paid"),
        ("order summary", "Order Summary"),
        ("Checkout  started", "Checkout Started"),
        ("ADD-TO-CART", "Cart Added"),
        ("APIKeyCreated", "API Key Created"),
        ("create API key", "API Key Created"),
        ("élan créé", "Élan Créé"),
        ("product viewed v2", "Product Viewed V2"),
    ],
)
def test_an_odd_name_gets_a_better_one(name: str, better: str) -> None:
    advice = naming.advice(name)
    assert advice is not None
    assert advice.suggestion == better
    assert advice.message.endswith(".")
    assert naming.advice(better) is None


@pytest.mark.parametrize(
    "name",
    [
        "Order Completed",
        "Signed Up",
        "Email Sent",
        "Time Spent",
        "[page]",
        "Newsletter",
        "",
        "注文",
        "API Key Created",
        "iOS App Opened",
        "User's Plan Changed",
        "Élan Créé",
    ],
)
def test_a_name_that_keeps_to_the_convention_is_left_alone(name: str) -> None:
    assert naming.advice(name) is None


def test_names_of_one_meaning_find_each_other() -> None:
    twins = naming.twins(["Sign Up", "Signed Up", "add_to_cart", "Cart Added", "Order Completed", "[page]", "[screen]"])
    assert twins == {
        "Sign Up": ["Signed Up"],
        "Signed Up": ["Sign Up"],
        "add_to_cart": ["Cart Added"],
        "Cart Added": ["add_to_cart"],
    }


@given(st.text(max_size=60))
def test_following_the_advice_leaves_nothing_to_advise(name: str) -> None:
    advice = naming.advice(name)
    if advice and advice.suggestion:
        again = naming.advice(advice.suggestion)
        assert again is None or again.suggestion != name
