"""A few made-up people with a short history, so that a newcomer's pages are not empty.

They are reported like anybody's users, through ``events.ingest``, and bear the trait ``demo``.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

import msgspec

from events.ingest import Item

PEOPLE = (
    ("demo-mara", "mara", "Steiner", "team", "Europe/Vienna"),
    ("demo-oluwaseun", "oluwaseun", "Ade", "starter", "Africa/Lagos"),
    ("demo-yuki", "yuki", "Tanaka", "pro", "Asia/Tokyo"),
    ("demo-lena", "lena", "Fischer", "starter", "Europe/Berlin"),
    ("demo-carlos", "carlos", "Rivera", "team", "America/Bogota"),
    ("demo-priya", "priya", "Nair", "pro", "Asia/Kolkata"),
)
# Hours before the start, event, properties; each person has the first few, one more than the person before.
STORY: tuple[tuple[float, str, dict[str, Any]], ...] = (
    (60, "Signed Up", {"plan": "{plan}"}),
    (52, "Visited Pricing Page", {"plan_name": "Team", "source": "menu"}),
    (47, "Project Created", {"project_name": "Spring campaign", "members": 3}),
    (44, "Task Completed", {"project_name": "Spring campaign", "minutes": 25}),
    (28, "Visited Pricing Page", {"plan_name": "Pro", "source": "banner"}),
    (20, "Order Completed", {"order_id": "A-{number}", "plan_name": "Pro", "total": 29.0, "currency": "EUR"}),
)


def items(now: datetime) -> list[Item]:
    """Return the calls that an application would have made about them."""
    return [item for number, person in enumerate(PEOPLE) for item in _items(number, person, now)]


def _items(number: int, person: tuple[str, ...], now: datetime) -> Iterator[Item]:
    user_id, first_name, last_name, plan, zone = person
    traits = {
        "first_name": first_name,
        "last_name": last_name,
        "email": f"{first_name}@example.com",
        "plan": plan,
        "demo": True,
    }
    began = now - timedelta(hours=number)
    context = msgspec.json.encode({"timezone": zone, "library": {"name": "seed_demo"}})
    raw = {name: msgspec.Raw(msgspec.json.encode(value)) for name, value in traits.items()}
    yield Item(
        type="identify",
        message_id=f"{user_id}-identify",
        timestamp=began - timedelta(hours=61),
        user_id=user_id,
        properties=msgspec.json.encode(traits),
        context=context,
        traits=raw,
        time_zone=zone,
    )
    for step, (hours, name, properties) in enumerate(STORY[: number + 1]):
        filled = {key: _filled(value, plan, number) for key, value in properties.items()}
        yield Item(
            type="track",
            message_id=f"{user_id}-{step}",
            timestamp=began - timedelta(hours=hours),
            user_id=user_id,
            name=name,
            properties=msgspec.json.encode(filled),
            context=context,
        )


def _filled(value: Any, plan: str, number: int) -> Any:
    return value.format(plan=plan, number=1000 + number) if isinstance(value, str) else value
