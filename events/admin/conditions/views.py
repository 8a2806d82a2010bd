"""The endpoints of the builder of conditions: JSON in, JSON out. Nothing here writes."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from functools import wraps
from typing import Any

from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.urls import URLPattern, path
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_GET, require_POST

from events import stopping, vocabulary
from events.admin.conditions import look as looking
from events.admin.conditions import spreading
from events.admin.conditions.grammar import grammar as describe
from events.conditions.reading import ORDERINGS, storable
from events.models import Event, Profile
from events.patience import TooLong
from events.searching import found_by
from events.vocabulary import About

PERMISSION = "events.view_profile"
MAX_WORDS = 50
MAX_PEOPLE = 8
MAX_DAYS = 365
MAX_TOKEN = 64
# A tree that anybody wrote by hand or clicked together is far smaller.
MAX_BYTES = 256 * 1024

View = Callable[[HttpRequest], HttpResponse]


class BadRequest(ValueError):
    """Raised for what no builder sends; the message names the field."""


def _json(view: Callable[[HttpRequest], dict[str, Any]]) -> View:
    """Answer with what ``view`` returns, for those who may see people; 400 says what is wrong with the question."""

    @wraps(view)
    @never_cache
    def answer(request: HttpRequest) -> HttpResponse:
        if not request.user.has_perm(PERMISSION):
            raise PermissionDenied
        try:
            return JsonResponse(view(request))
        except BadRequest as error:
            return JsonResponse({"error": str(error)}, status=400)
        except TooLong:
            return JsonResponse({"error": "This takes too long right now. Ask about fewer days."}, status=503)

    return answer


@_json
def look(request: HttpRequest) -> dict[str, Any]:
    """Say what a tree means and what is wrong with it, how many people meet it, and how one person does."""
    return looking.look(_question(request))


@_json
def stop(request: HttpRequest) -> dict[str, Any]:
    """End the count that the same user has asked for under ``token``."""
    key = _key(request, _body(request, "token"))
    return {"stopped": key is not None and stopping.stop(key)}


def _body(request: HttpRequest, needed: str) -> dict[str, Any]:
    if len(request.body) > MAX_BYTES:
        raise BadRequest(f"At most {MAX_BYTES:,} bytes can be sent.")
    try:
        said = json.loads(request.body)
    except (ValueError, RecursionError):
        raise BadRequest("The body has to be JSON.") from None
    if not isinstance(said, dict) or needed not in said:
        raise BadRequest(f'The body has to be an object with "{needed}".')
    return said


def _key(request: HttpRequest, said: dict[str, Any]) -> int | None:
    token = said.get("token")
    if token is None:
        return None
    if not (isinstance(token, str) and 0 < len(token) <= MAX_TOKEN and token.isascii()):
        raise BadRequest(f"token: has to be a text of up to {MAX_TOKEN} letters and digits.")
    return stopping.key_of(request.user.pk or 0, token)


def _question(request: HttpRequest) -> looking.Question:
    said = _body(request, "condition")
    about, event, type_, profile = (said.get(key) for key in ("about", "event", "type", "profile"))
    if about not in (None, *looking.ABOUT):
        raise BadRequest(f"about: has to be one of {', '.join(looking.ABOUT)}.")
    if event is not None and not (isinstance(event, str) and storable(event)):
        raise BadRequest("event: has to be the name of an event.")
    if type_ not in (None, *looking.TYPES):
        raise BadRequest(f"type: has to be one of {', '.join(looking.TYPES)}.")
    if profile is not None and (isinstance(profile, bool) or not isinstance(profile, int)):
        raise BadRequest("profile: has to be the number of a person.")
    return looking.Question(
        said["condition"],
        about or "person",
        event or "",
        type_ or "track",
        profile,
        bool(said.get("count")),
        _key(request, said),
    )


@_json
def grammar(request: HttpRequest) -> dict[str, Any]:
    """Describe the language."""
    return describe()


@_json
def words(request: HttpRequest) -> dict[str, Any]:
    """List names of ``?kind=`` that fit ``?q=``, the most used first."""
    kind = _one_of(request, "kind", vocabulary.kinds())
    found = vocabulary.search(vocabulary.words(kind, _about(request)), _text(request, "q"), MAX_WORDS)
    return {"words": [_word(word) for word in found]}


@_json
def people(request: HttpRequest) -> dict[str, Any]:
    """List a few people whose email or user id begins with ``?q=``; the newest ones without it."""
    found = found_by(Profile.objects.all(), _text(request, "q"))
    if not _text(request, "q").strip():
        found = found.order_by("-pk")
    return {"people": [looking.person(profile) for profile in found[:MAX_PEOPLE]]}


@_json
def values(request: HttpRequest) -> dict[str, Any]:
    """List frequent values of ``?kind=&name=`` that have ``?q=`` in them."""
    return spreading.values(_of_values(request), _text(request, "q"))


@_json
def spread(request: HttpRequest) -> dict[str, Any]:
    """Say how the numbers of ``?kind=&name=`` are spread, and the share that ``?cut=&op=`` would leave."""
    return spreading.spread(_of_values(request))


def _of_values(request: HttpRequest) -> spreading.Question:
    kind = _one_of(request, "kind", ["trait", "property", "group_trait"])
    name = _text(request, "name").strip()
    if not name:
        raise BadRequest("name: has to name a trait or property.")
    days = request.GET.get("days") or "30"
    if not (days.isascii() and days.isdigit() and 1 <= int(days[:5]) <= MAX_DAYS):
        raise BadRequest(f"days: has to be a whole number from 1 to {MAX_DAYS}.")
    operator = _one_of(request, "op", list(ORDERINGS)) if request.GET.get("op") else "gte"
    return spreading.Question(kind, name, _about(request), int(days), operator, _number(request, "cut"))


def _number(request: HttpRequest, key: str) -> float | None:
    said = request.GET.get(key)
    if not said:
        return None
    try:
        number = float(said)
    except ValueError:
        number = math.nan
    if not math.isfinite(number):
        raise BadRequest(f"{key}: has to be a number.")
    return number


def _word(word: vocabulary.Word) -> dict[str, Any]:
    return {
        "value": word.value,
        "label": word.label or word.value,
        "type": word.type,
        "seen": word.seen,
        "examples": list(word.examples),
    }


def _about(request: HttpRequest) -> About:
    type_ = request.GET.get("type") or Event.Type.TRACK.value
    if type_ not in looking.TYPES:
        raise BadRequest(f"type: has to be one of {', '.join(looking.TYPES)}.")
    return About(_text(request, "event"), type_, _text(request, "group"))


def _text(request: HttpRequest, key: str) -> str:
    """Return a parameter; what the database cannot store names nothing."""
    return request.GET.get(key, "").replace("\0", "")


def _one_of(request: HttpRequest, key: str, known: list[str]) -> str:
    value = request.GET.get(key, "")
    if value not in known:
        raise BadRequest(f"{key}: has to be one of {', '.join(known)}.")
    return value


def urls(wrap: Callable[[View], View]) -> list[URLPattern]:
    """Return the endpoints' patterns; ``wrap`` lets staff alone pass."""
    views = {
        "look": require_POST(look),
        "stop": require_POST(stop),
        "grammar": require_GET(grammar),
        "words": require_GET(words),
        "values": require_GET(values),
        "spread": require_GET(spread),
        "people": require_GET(people),
    }
    return [path(f"conditions/{name}/", wrap(view), name=f"events_conditions_{name}") for name, view in views.items()]
