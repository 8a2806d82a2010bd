"""What a computed trait is, in a sentence."""

from __future__ import annotations

from events.computed import definitions
from events.conditions import ConditionError, times
from events.conditions.words import say, span
from events.models import ComputedTrait

Function = ComputedTrait.Function
THINGS = {"track": "events", "page": "views of the page", "screen": "views of the screen"}
SAID = {
    Function.COUNT: "how many {events} there are",
    Function.SUM: "the sum of {property} over {events}",
    Function.MIN: "the least {property} of {events}",
    Function.MAX: "the greatest {property} of {events}",
    Function.AVERAGE: "the average {property} of {events}",
    Function.FIRST: "{property} of the first of {events}",
    Function.LAST: "{property} of the last of {events}",
    Function.MOST_FREQUENT: "the most frequent {property} of {events}",
    Function.LAST_VALUES: "the last {number} different values of {property} of {events}, the newest first",
    Function.DISTINCT: "how many different values of {property} {events} had",
    Function.FIRST_TIME: "when the first of {events} happened",
    Function.LAST_TIME: "when the last of {events} happened",
}


def sentence(row: ComputedTrait) -> str:
    """Return what it comes to, such as "the last 5 different values of sku of events “Product Viewed”"."""
    first, *others = row.properties or [""]
    shown = f"{first} (with {', '.join(others)})" if others else first
    said = SAID[Function(row.function)].format(
        events=f"{THINGS[row.event_type]} “{row.event}”", property=shown, number=row.number
    )
    window = times.span(row.within)
    return said + (f", in the last {span(window)}" if window else "") + _filter(row)


def _filter(row: ComputedTrait) -> str:
    try:
        node = definitions.read(row).past.what.where
    except ConditionError as error:
        return f". It cannot be computed: {error}"
    return f", where {say(node)}" if node is not None else ""
