"""Find people as the search boxes and the list of people of the console do."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from django.db.models import Q, QuerySet
from django.db.models.functions import Lower
from django.utils import timezone

from events.audience import compile_condition, profiles
from events.conditions import ConditionError, parse
from events.conditions.words import say
from events.models import Identity, Profile, Segment


def found_by(queryset: QuerySet[Profile], term: str) -> QuerySet[Profile]:
    """Return those whose email or user id begins with ``term``, whatever its case, or whose anonymous id it is.

    Written so that the pattern indexes serve it.
    """
    term = term.replace("\x00", "").strip()
    if not term:
        return queryset
    known = list(
        Identity.objects.filter(kind__in=Identity.Kind.values, value=term).values_list("profile_id", flat=True)
    )
    begin = term.lower()
    queryset = queryset.alias(lower_email=Lower("email"), lower_user=Lower("user_id"))
    return queryset.filter(Q(lower_email__startswith=begin) | Q(lower_user__startswith=begin) | Q(pk__in=known))


@dataclass(frozen=True, slots=True)
class Search:
    """Which people are meant on the list of people: by what is typed there, by a segment, test people or others.

    ``text`` is as ``found_by`` takes it, or a trait and its value: ``plan=pro``.
    """

    text: str = ""
    segment: str = ""
    is_test: bool | None = None

    def people(self, queryset: QuerySet[Profile]) -> QuerySet[Profile]:
        """Return those of ``queryset`` who are meant."""
        if self.segment:
            queryset = queryset.filter(segment_memberships__segment__slug=self.segment)
        if self.is_test is not None:
            queryset = queryset.filter(is_test=self.is_test)
        trait = trait_of(self.text)
        if trait is None:
            return found_by(queryset, self.text)
        return queryset.filter(compile_condition(parse(trait), profiles(timezone.now())))

    def condition(self) -> dict[str, Any] | None:
        """Return the same as a condition; None where none can say it, as of parts of ids, or for everybody."""
        trait = trait_of(self.text)
        if self.is_test is not None or (self.text.strip() and trait is None):
            return None
        parts: list[dict[str, Any]] = [{"segment": self.segment}] if self.segment else []
        parts += [trait] if trait else []
        return {"all": parts} if len(parts) > 1 else parts[0] if parts else None

    def words(self) -> str:
        """Say who is meant, to go on after "people"."""
        trait = trait_of(self.text)
        found = [f"in the segment “{_name_of(self.segment)}”"] if self.segment else []
        if trait:
            found.append(f"of whom this is true: {say(parse(trait))}")
        elif self.text.strip():
            found.append(f"whose email or user id begins with “{self.text.strip()}”")
        if self.is_test is not None:
            found.append("who are test people" if self.is_test else "who are no test people")
        return ", ".join(found)


def _name_of(slug: str) -> str:
    return Segment.objects.filter(slug=slug).values_list("name", flat=True).first() or slug


TRAIT = re.compile(r"([A-Za-z_][\w.-]*)\s*=\s*(\S.*?)\s*")
EXACT = {"true": True, "false": False}


def trait_of(text: str) -> dict[str, Any] | None:
    """Return the condition that ``plan=pro`` means; None for any other text. 30 is the number and the text alike."""
    found = TRAIT.fullmatch(text.replace("\0", "").strip())
    if found is None:
        return None
    name, value = found.groups()
    values: list[Any] = [value]
    if value in EXACT:
        values.append(EXACT[value])
    elif re.fullmatch(r"-?\d{1,15}(\.\d{1,10})?", value):
        values.append(float(value) if "." in value else int(value))
    tree = {"trait": name, "in": values} if len(values) > 1 else {"trait": name, "is": value}
    try:
        parse(tree)
    except ConditionError:
        return None
    return tree
