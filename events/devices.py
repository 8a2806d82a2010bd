"""The phones and browsers people can be pushed to. A device is one person's at a time: the last who named it."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from events.models import Device


@dataclass(frozen=True, slots=True)
class Described:
    """A device as an application describes it. ``attributes`` replace what was known."""

    device_id: str
    platform: str
    last_used_at: datetime
    attributes: Mapping[str, Any] = field(default_factory=dict)


def put(profile_id: int, device: Described) -> None:
    """Give a device to a person, whoever had it before. One statement.

    Raises IntegrityError, at the latest at the commit, when the person is gone.
    """
    row = Device(
        profile_id=profile_id,
        device_id=device.device_id,
        platform=device.platform,
        attributes=dict(device.attributes),
        last_used_at=device.last_used_at,
    )
    kept = ["profile", "platform", "attributes", "last_used_at"]
    Device.objects.bulk_create([row], update_conflicts=True, unique_fields=["device_id"], update_fields=kept)


def remove(profile_id: int, device_id: str) -> bool:
    """Take a device away from a person; return whether it was theirs."""
    deleted, _ = Device.objects.filter(profile=profile_id, device_id=device_id).delete()
    return bool(deleted)


def forget(device_ids: Collection[str]) -> None:
    """Forget devices that no longer take messages. One statement, none for nothing."""
    if device_ids:
        Device.objects.filter(device_id__in=device_ids).delete()
