"""Compare a control group with the others: what a campaign has changed, and how sure that is. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from math import sqrt

# Below this many people in either group nothing is said of the difference.
ENOUGH = 100
# Of a normal distribution 95 % lie within so many standard deviations.
Z = 1.96


@dataclass(frozen=True, slots=True)
class Group:
    """How many people, and how many of them reached the goal."""

    people: int
    reached: int

    @property
    def rate(self) -> float:
        return self.reached / self.people if self.people else 0.0


@dataclass(frozen=True, slots=True)
class Lift:
    """By how much more of the others reached the goal, as a part of one; with 95 % from ``low`` to ``high``."""

    difference: float
    low: float
    high: float

    @property
    def is_sure(self) -> bool:
        return self.low > 0 or self.high < 0


def compare(held_out: Group, others: Group) -> Lift | None:
    """Return the lift, None where there are too few people to say.

    The interval is Newcombe's (Statistics in Medicine 17, 1998, method 10), which holds for small shares as well.
    """
    if min(held_out.people, others.people) < ENOUGH:
        return None
    low_held, high_held = _wilson(held_out)
    low_others, high_others = _wilson(others)
    difference = others.rate - held_out.rate
    return Lift(
        difference,
        difference - sqrt((others.rate - low_others) ** 2 + (high_held - held_out.rate) ** 2),
        difference + sqrt((high_others - others.rate) ** 2 + (held_out.rate - low_held) ** 2),
    )


def _wilson(group: Group) -> tuple[float, float]:
    """Return Wilson's interval of a share."""
    n, rate = group.people, group.rate
    middle = rate + Z**2 / (2 * n)
    reach = Z * sqrt(rate * (1 - rate) / n + Z**2 / (4 * n**2))
    return (middle - reach) / (1 + Z**2 / n), (middle + reach) / (1 + Z**2 / n)
