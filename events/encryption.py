"""Encrypt texts that lie in the database and are needed again in clear: passwords of providers, signing secrets.

The keys are ENCRYPTION_KEYS, newest first; older ones still decrypt, so keys can be rotated. Without them one is
derived from SECRET_KEY.
"""

from __future__ import annotations

import base64
import hashlib

from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from django.conf import settings

# What is stored was encrypted under this name; another one would lose it.
DERIVED_FOR = "messaging.credentials"


class EncryptionError(ValueError):
    """Raised when a text cannot be encrypted or decrypted; says what to do."""


class KeyLost(EncryptionError):
    """Raised when a text was encrypted with a key that is not here any more."""


def encrypt(text: str) -> str:
    """Return ``text`` as it may be stored. Raises EncryptionError."""
    return _keys().encrypt(text.encode()).decode()


def decrypt(text: str) -> str:
    """Return in clear what ``encrypt`` made. Raises EncryptionError; KeyLost when the keys have changed."""
    try:
        return _keys().decrypt(text.encode()).decode()
    except InvalidToken as error:
        raise KeyLost(
            "What was stored cannot be decrypted: the key has changed. Enter it anew, "
            "or bring the former key back (ENCRYPTION_KEYS, else SECRET_KEY)."
        ) from error


def _keys() -> MultiFernet:
    keys = list(settings.ENCRYPTION_KEYS)
    if not keys:
        digest = hashlib.sha256(f"{DERIVED_FOR}:{settings.SECRET_KEY}".encode()).digest()
        keys = [base64.urlsafe_b64encode(digest).decode()]
    try:
        return MultiFernet([Fernet(key) for key in keys])
    except ValueError as error:
        raise EncryptionError("ENCRYPTION_KEYS must hold Fernet keys: 32 bytes in URL-safe base64.") from error
