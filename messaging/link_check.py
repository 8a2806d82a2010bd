"""Follow the links of a mail before it goes out: which of them answer, and which do not."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from django.conf import settings
from requests import RequestException

from messaging import outward

MOST = 40
AT_ONCE = 8
TIMEOUT = (3.0, 5.0)


@dataclass(frozen=True, slots=True)
class Checked:
    """A link, whether it leads somewhere, and what was found in words."""

    url: str
    ok: bool
    words: str


def check(urls: Sequence[str]) -> list[Checked]:
    """Ask each address once, several at a time; ten seconds at most for each round of them."""
    wanted = [url for url in urls if url.startswith(("https://", "http://"))][:MOST]
    with ThreadPoolExecutor(AT_ONCE) as pool:
        return list(pool.map(_check, wanted))


def _check(url: str) -> Checked:
    if url.startswith(f"{settings.BASE_URL}/m/"):
        return Checked(url, True, "our own")
    try:
        with outward.session() as session:
            answer = session.get(url, timeout=TIMEOUT, stream=True)
            answer.close()
    except (RequestException, ValueError) as error:
        return Checked(url, False, f"no answer: {outward.words(error)}")
    if 300 <= answer.status_code < 400:
        return Checked(url, True, f"leads on to {answer.headers.get('Location', 'another address')[:200]}")
    return Checked(url, answer.ok, "answers" if answer.ok else f"answers with error {answer.status_code}")
