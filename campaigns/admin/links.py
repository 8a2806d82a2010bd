"""Addresses of other pages of the admin."""

from __future__ import annotations

from django.urls import NoReverseMatch, reverse


def to(name: str, *args: object) -> str:
    """Return the address of a page by its name in the admin, "" where there is none."""
    return _address(f"admin:{name}", *args)


def shop() -> str:
    """Return the address of the demo's shop window, "" where this is not the demo."""
    return _address("demo:shop")


def _address(name: str, *args: object) -> str:
    try:
        return reverse(name, args=args)
    except NoReverseMatch:
        return ""
