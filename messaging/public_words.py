"""The words of the pages that recipients see, in their language. A language is a file in ``messaging/wording``."""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import cache
from pathlib import Path

from messaging.models import Topic

FOLDER = Path(__file__).parent / "wording"
OWN = "en"


class InLanguage:
    """Look words up: ``in_language("de-AT")["save"]``. What a language lacks is said in English."""

    @property
    def known(self) -> list[str]:
        return sorted(path.stem for path in FOLDER.glob("*.json"))

    def __call__(self, language: str) -> Mapping[str, str]:
        return _words(self.chosen(language))

    def chosen(self, *wanted: str) -> str:
        """Return the first language of ``wanted`` that we speak; each may name a country: ``pt-BR``."""
        for language in wanted:
            name = language.strip().lower().replace("_", "-").partition("-")[0]
            if name in self.known:
                return name
        return OWN


in_language = InLanguage()


@cache
def _words(language: str) -> Mapping[str, str]:
    own: dict[str, str] = json.loads((FOLDER / f"{OWN}.json").read_text(encoding="utf-8"))
    if language == OWN:
        return own
    there: dict[str, str] = json.loads((FOLDER / f"{language}.json").read_text(encoding="utf-8"))
    return own | there


def topic_words(topic: Topic, language: str) -> tuple[str, str]:
    """Return the name and the description of a topic in a language; as they were written where there is none."""
    wanted = language.strip().lower().replace("_", "-")
    known = {one.language: one for one in topic.translations.all()}
    found = known.get(wanted) or known.get(wanted.partition("-")[0])
    if found is None:
        return topic.name, topic.description
    return found.name, found.description or topic.description
