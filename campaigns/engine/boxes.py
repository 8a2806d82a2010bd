"""Read each kind of step from its JSON. Pure.

One function a kind: it takes the reader, which gathers the problems, the tree, its place, the step's id and name, and
how deeply it is nested.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from campaigns.engine.steps import (
    Branch,
    Call,
    Delay,
    DelayUntilDate,
    DelayUntilDay,
    Exit,
    GoTo,
    Heard,
    HoldUntilQuiet,
    Path,
    RateLimit,
    Send,
    Split,
    StartCampaign,
    Step,
    Subscribe,
    TrackEvent,
    UpdateProfile,
    WaitUntil,
    Window,
)

if TYPE_CHECKING:
    from campaigns.engine.definition import Reader

Tree = dict[str, Any]
MAX_SECONDS = 400 * 24 * 3600
MAX_DAYS = 400
MAX_CALL_SECONDS = 24 * 3600
MAX_TIMES = 100
SENDINGS = ("automatic", "draft", "never")
METHODS = ("POST", "PUT", "PATCH", "GET", "DELETE")


def _delay(reader: Reader, tree: Tree, path: str, step_id: str, name: str, depth: int) -> Step:
    """``seconds``, or ``seconds`` and ``most``, or ``until`` a day of the week or a date of the person's."""
    until = tree.get("until")
    if until is None:
        seconds = reader.whole(tree, "seconds", path, 1, MAX_SECONDS)
        most = reader.whole(tree, "most", path, seconds, MAX_SECONDS) if tree.get("most") is not None else None
        return Delay(step_id, name, seconds, most)
    place = f"{path}.until"
    if not isinstance(until, dict) or ("trait" in until) == ("days_of_week" in until):
        reader.problem(place, "needs either a trait that is a date, or days of the week")
        until = {"days_of_week": [0], "at": "09:00"}
    if "trait" in until:
        clock = reader.clock(until, "at", place) if until.get("at") else None
        days = reader.whole(until, "days", place, -MAX_DAYS, MAX_DAYS, default=0)
        return DelayUntilDate(step_id, name, reader.trait(until, "trait", place), days, clock)
    return DelayUntilDay(step_id, name, reader.days(until, "days_of_week", place), reader.clock(until, "at", place))


def _window(reader: Reader, tree: Tree, path: str, step_id: str, name: str, depth: int) -> Step:
    days = reader.days(tree, "days", path)
    return Window(step_id, name, days, reader.clock(tree, "start", path), reader.clock(tree, "end", path))


def _send(reader: Reader, tree: Tree, path: str, step_id: str, name: str, depth: int) -> Step:
    template = tree.get("template")
    if not isinstance(template, int) or isinstance(template, bool):
        reader.problem(f"{path}.template", "choose the template to send")
        template = 0
    recheck = tree.get("recheck")
    if recheck not in (None, "trigger"):
        reader.problem(f"{path}.recheck", "must be trigger, or left out")
    sending = tree.get("sending", "automatic")
    if sending not in SENDINGS:
        reader.problem(f"{path}.sending", f"must be one of {', '.join(SENDINGS)}")
        sending = "automatic"
    return Send(step_id, name, template, tree.get("template_version"), recheck == "trigger", sending)


def _branch(reader: Reader, tree: Tree, path: str, step_id: str, name: str, depth: int) -> Step:
    trees = reader.paths(tree, path, "add at least one path with a condition")
    last = len(trees) - 1
    found = []
    for index, each in enumerate(trees):
        place = f"{path}.paths[{index}]"
        way = reader.path(each, place, depth, condition=reader.condition(each.get("if"), f"{place}.if"))
        if way.condition is None and not (index == last and index > 0) and each.get("if") is None:
            reader.problem(f"{place}.if", "needs a condition; only the last path may be for everybody else")
        found.append(way)
    return Branch(step_id, name, tuple(found))


def _split(reader: Reader, tree: Tree, path: str, step_id: str, name: str, depth: int) -> Step:
    trees = reader.paths(tree, path, "add at least two paths to divide people among")
    found = []
    for index, each in enumerate(trees):
        place = f"{path}.paths[{index}]"
        found.append(reader.path(each, place, depth, weight=reader.whole(each, "weight", place, 0, 1_000_000)))
    if sum(way.weight for way in found) <= 0:
        reader.problem(f"{path}.paths", "give at least one path a share above 0")
    return Split(step_id, name, tuple(found))


def _wait(reader: Reader, tree: Tree, path: str, step_id: str, name: str, depth: int) -> Step:
    """Until ``if`` holds or ``event`` comes; ``paths`` are what to do then, and what when ``seconds`` are over."""
    if ("if" in tree) == ("event" in tree):
        reader.problem(path, "say what to wait for: either a condition, or an event")
    condition = reader.condition(tree.get("if"), f"{path}.if")
    awaited = heard(reader, tree, path) if "event" in tree else None
    trees = reader.paths(tree, path, "needs two paths: one for who did it, one for when the time is over")
    if len(trees) != 2:
        reader.problem(f"{path}.paths", "needs two paths: one for who did it, one for when the time is over")
        trees = [{"id": f"{step_id}-met"}, {"id": f"{step_id}-late"}]
    met, late = (reader.path(each, f"{path}.paths[{index}]", depth) for index, each in enumerate(trees))
    return WaitUntil(
        step_id, name, condition, awaited, reader.whole(tree, "seconds", path, 1, MAX_SECONDS), (met, late)
    )


def _quiet(reader: Reader, tree: Tree, path: str, step_id: str, name: str, depth: int) -> Step:
    seconds = reader.whole(tree, "seconds", path, 1, MAX_SECONDS)
    most = reader.whole(tree, "most", path, seconds, MAX_SECONDS, default=max(seconds, 24 * 3600))
    return HoldUntilQuiet(step_id, name, heard(reader, tree, path), seconds, most)


def heard(reader: Reader, tree: Tree, path: str, message: str = "choose the event to wait for") -> Heard:
    """Read which event is meant; where none is chosen, ``message`` says what to do."""
    event = reader.text(tree, "event", path, message)
    same = reader.trait(tree, "same", path) if tree.get("same") is not None else None
    since = tree.get("since", "trigger")
    if since not in ("trigger", "step"):
        reader.problem(f"{path}.since", "must be trigger or step")
    return Heard(event, reader.condition(tree.get("where"), f"{path}.where"), same, since == "step")


def _limit(reader: Reader, tree: Tree, path: str, step_id: str, name: str, depth: int) -> Step:
    number = reader.whole(tree, "number", path, 1, 10_000_000)
    return RateLimit(step_id, name, number, reader.whole(tree, "seconds", path, 1, MAX_SECONDS))


def _update(reader: Reader, tree: Tree, path: str, step_id: str, name: str, depth: int) -> Step:
    traits = reader.mapping(tree, "traits", path)
    if not traits:
        reader.problem(f"{path}.traits", "name at least one trait to set")
    return UpdateProfile(step_id, name, traits)


def _track(reader: Reader, tree: Tree, path: str, step_id: str, name: str, depth: int) -> Step:
    event = reader.text(tree, "event", path, "name the event to track")
    return TrackEvent(step_id, name, event, reader.mapping(tree, "properties", path))


def _subscribe(reader: Reader, tree: Tree, path: str, step_id: str, name: str, depth: int) -> Step:
    topic = reader.text(tree, "topic", path, "choose the topic")
    if not isinstance(tree.get("subscribed"), bool):
        reader.problem(f"{path}.subscribed", "must be true or false")
    return Subscribe(step_id, name, topic, tree.get("subscribed") is True)


def _call(reader: Reader, tree: Tree, path: str, step_id: str, name: str, depth: int) -> Step:
    method = tree.get("method", "POST")
    if method not in METHODS:
        reader.problem(f"{path}.method", f"must be one of {', '.join(METHODS)}")
    url = reader.text(tree, "url", path, "write the address to call, such as https://example.com/hook")
    if url and (urlsplit(url).scheme not in ("http", "https") or not urlsplit(url).netloc):
        reader.problem(f"{path}.url", "must begin with https:// or http:// and name a host")
    headers = reader.mapping(tree, "headers", path)
    if not all(isinstance(value, str) for value in headers.values()):
        reader.problem(f"{path}.headers", "each header must be a text")
    body = tree.get("body", "")
    if not isinstance(body, str):
        reader.problem(f"{path}.body", "must be a text")
    seconds = reader.whole(tree, "seconds", path, 1, MAX_CALL_SECONDS, default=3600)
    return Call(step_id, name, str(method), url, headers, str(body), seconds)


def _start(reader: Reader, tree: Tree, path: str, step_id: str, name: str, depth: int) -> Step:
    campaign = reader.text(tree, "campaign", path, "choose the campaign to start")
    return StartCampaign(step_id, name, campaign, reader.mapping(tree, "properties", path))


def _go_to(reader: Reader, tree: Tree, path: str, step_id: str, name: str, depth: int) -> Step:
    """It must lead to a step that has been read already, so back: forward jumps would make a graph of the tree."""
    to = reader.text(tree, "to", path, "choose the earlier step to go back to")
    if to and to not in reader.by_id and to not in reader.around:
        reader.problem(f"{path}.to", f"must be a step that comes before this one; {to} is not")
    return GoTo(step_id, name, to, reader.whole(tree, "times", path, 1, MAX_TIMES, default=1))


def _exit(reader: Reader, tree: Tree, path: str, step_id: str, name: str, depth: int) -> Step:
    return Exit(step_id, name)


BUILDERS: dict[str, Callable[[Reader, Tree, str, str, str, int], Step]] = {
    "delay": _delay,
    "window": _window,
    "send": _send,
    "branch": _branch,
    "split": _split,
    "wait": _wait,
    "quiet": _quiet,
    "limit": _limit,
    "update": _update,
    "track": _track,
    "subscribe": _subscribe,
    "start": _start,
    "call": _call,
    "goto": _go_to,
    "exit": _exit,
}


def ways(step: Step) -> tuple[Path, ...]:
    """Return the paths that lead out of a step, none for most kinds. They rejoin behind it."""
    return step.paths if isinstance(step, Branch | Split | WaitUntil) else ()
