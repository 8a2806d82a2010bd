"""The demo's secrets: made at the first start, kept in a file that only its owner can read."""

import base64
import json
import os
import secrets
from pathlib import Path


def load_or_create(path: Path) -> dict[str, str]:
    """Read the secrets; make those that are missing, so that an older file keeps what it has."""
    kept: dict[str, str] = json.loads(path.read_text()) if path.exists() else {}
    complete = {name: kept.get(name) or value for name, value in _fresh().items()}
    if complete != kept:
        write_private(path, json.dumps(complete, indent=2) + "\n")
    return complete


def write_private(path: Path, text: str) -> None:
    """Put a file in place whole, or not at all, readable by its owner alone from the first byte."""
    draft = path.with_name(f"{path.name}.new")
    draft.unlink(missing_ok=True)
    with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        file.write(text)
    draft.replace(path)


def _fresh() -> dict[str, str]:
    return {
        "SECRET_KEY": secrets.token_urlsafe(50),
        "ENCRYPTION_KEYS": base64.urlsafe_b64encode(secrets.token_bytes(32)).decode(),
        "ADMIN_USER": "admin",
        "ADMIN_PASSWORD": _password(),
        "WRITE_KEY": secrets.token_hex(16),
        "SITE_ID": secrets.token_hex(10),
        "API_KEY": secrets.token_hex(16),
        "API_TOKEN": secrets.token_hex(20),
        "WEBHOOK_SECRET": f"webhook:{secrets.token_hex(16)}",  # user and password of HTTP basic auth
        "HOOK": secrets.token_hex(12),
    }


def _password() -> str:
    """Easy to type, 77 bits: no letters or digits that look alike."""
    alphabet = "abcdefghjkmnpqrstuvwxyz23456789"
    return "-".join("".join(secrets.choice(alphabet) for _ in range(4)) for _ in range(4))
