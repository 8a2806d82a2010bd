"""Speak to the tracking and management APIs the way a client does."""

from __future__ import annotations

import base64
import gzip
import json
from typing import Any

from django.test import Client

from events.models import ApiToken, hash_key, new_key


def basic(key: str) -> str:
    """The Authorization header of a key: user name, empty password."""
    return "Basic " + base64.b64encode(f"{key}:".encode()).decode()


def send(path: str, body: Any, key: str = "", *, packed: bool = False, **headers: str) -> Any:
    """POST a call. ``body`` is bytes as they are, or anything that JSON can say; headers with _ for -."""
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    if packed:
        content = gzip.compress(content)
        headers["Content_Encoding"] = "gzip"
    if key:
        headers["Authorization"] = basic(key)
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    content_type = named.pop("Content-Type", "application/json")
    return Client().generic("POST", f"/v1/{path}", content, content_type=content_type, headers=named)


def manage(path: str, token: str = "") -> Any:
    """GET from the management API with a token, a new one unless named."""
    if not token:
        token = new_key("token")
        ApiToken.objects.create(label="test", key_hash=hash_key(token))
    return Client().get(f"/api/v1/manage/{path}", headers={"Authorization": f"Bearer {token}"})
