"""Addresses of other pages of the admin."""

from __future__ import annotations

from django.urls import NoReverseMatch, reverse


def to(name: str, *args: object) -> str:
    """Return the address of a page by its name in the admin, "" where there is none."""
    try:
        return reverse(f"admin:{name}", args=args)
    except NoReverseMatch:
        return ""
