"""Signed addresses, and what tracking makes of a mail's links."""

from __future__ import annotations

import re
from uuid import uuid4

import pytest

from messaging import links

ID = uuid4()


def token(url: str) -> str:
    return url.rpartition("/")[2].removesuffix(".gif")


def test_tokens_lead_back_to_their_message() -> None:
    assert links.read(links.UNSUBSCRIBE, token(links.unsubscribe_url(ID))) == ID
    assert links.read(links.OPEN, token(links.open_url(ID))) == ID
    target = "https://acme.example/ä?a=1&b=2#c"
    assert links.read_click(token(links.click_url(ID, target))) == (ID, target)


def test_a_token_of_one_kind_is_none_of_another() -> None:
    assert links.read(links.UNSUBSCRIBE, token(links.open_url(ID))) is None
    assert links.read_click(token(links.unsubscribe_url(ID))) is None


@pytest.mark.parametrize("wrong", ["", "x", "a.b", "....", "%", "AAAA.BBBB.CCCC"])
def test_anything_else_is_nothing(wrong: str) -> None:
    assert links.read(links.OPEN, wrong) is None
    assert links.read_click(wrong) is None


def test_a_click_cannot_be_made_to_lead_elsewhere() -> None:
    good = token(links.click_url(ID, "https://acme.example/"))
    other = token(links.click_url(ID, "https://evil.example/"))
    mixed = ".".join([*other.split(".")[:2], good.split(".")[2]])
    assert links.read_click(mixed) is None


def test_links_lead_through_us_and_the_pixel_is_at_the_end() -> None:
    html = (
        '<html><body><a class="x" href="https://acme.example/?a=1&amp;b=2">One</a> '
        "<A HREF='http://acme.example/two'>Two</A> "
        f'<a href="mailto:a@b.c">Mail</a> <a href="#top">Top</a> <a href="{links.unsubscribe_url(ID)}">Out</a>'
        '<link href="https://acme.example/style.css"></body></html>'
    )
    tracked = links.track(html, ID)
    targets = [links.read_click(found) for found in re.findall(r"/m/c/([^\"]+)", tracked)]
    assert targets == [(ID, "https://acme.example/?a=1&b=2"), (ID, "http://acme.example/two")]
    for untouched in ("mailto:a@b.c", "#top", links.unsubscribe_url(ID), "https://acme.example/style.css"):
        assert untouched in tracked
    assert re.search(r'<img src="[^"]+/m/o/[^"]+\.gif"[^>]*></body></html>$', tracked)


def test_a_mail_without_a_body_tag_gets_its_pixel_too() -> None:
    assert links.track("<p>Hi</p>", ID).startswith("<p>Hi</p><img ")
