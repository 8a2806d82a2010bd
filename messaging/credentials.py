"""Keep the secrets of providers: encrypted in the database, or named by an environment variable.

A stored value is never shown again. A value that begins with ``$`` is the name of an environment variable and is read
from there whenever it is needed; an unset one is an error that says so.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping

from events import encryption
from messaging.errors import CredentialsError
from messaging.kinds import KINDS, OPTIONAL
from messaging.models import Provider

# Which secrets each kind of provider has, with the words of its forms.
SECRETS: dict[str, Mapping[str, str]] = {name: kind.secrets for name, kind in KINDS.items()}
# A secret this long is a key that a machine made.
TELLING = 20


def store(provider: Provider, secrets: Mapping[str, str]) -> None:
    """Put ``secrets`` on ``provider``, keeping those that are not named; an empty text removes one. Does not save.

    Raises CredentialsError when what is there cannot be decrypted and not everything is named anew.
    """
    replaced = set(SECRETS[provider.kind]) <= secrets.keys()
    kept = {} if replaced else _decrypt(provider)
    merged = {name: value.strip() for name, value in {**kept, **secrets}.items() if value.strip()}
    try:
        provider.secrets = encryption.encrypt(json.dumps(merged)) if merged else ""
    except encryption.EncryptionError as error:
        raise CredentialsError(str(error)) from error


def reveal(provider: Provider) -> dict[str, str]:
    """Return the secrets in clear, environment variables resolved. Raises CredentialsError."""
    return {name: _resolve(value) for name, value in _decrypt(provider).items()}


def describe(provider: Provider) -> dict[str, str]:
    """Say for each secret that is set where it comes from, its last characters at most. Raises CredentialsError."""
    return {name: _origin(value) for name, value in _decrypt(provider).items()}


def missing(provider: Provider) -> list[str]:
    """Return the labels of the secrets that ``provider`` needs and does not have. Raises CredentialsError."""
    known = _decrypt(provider)
    return [label for name, label in SECRETS[provider.kind].items() if name not in known and name not in OPTIONAL]


def _origin(value: str) -> str:
    if value.startswith("$"):
        return f"from the environment variable {value[1:]}"
    # Four characters of a long key tell two keys apart and help nobody to guess it; of a short word they would.
    return f"stored, ends in …{value[-4:]}" if len(value) >= TELLING else "stored"


def _decrypt(provider: Provider) -> dict[str, str]:
    if not provider.secrets:
        return {}
    try:
        secrets: dict[str, str] = json.loads(encryption.decrypt(provider.secrets))
    except encryption.KeyLost as error:
        raise CredentialsError(
            f"The credentials of “{provider}” cannot be decrypted: the key has changed. Enter them anew, "
            "or bring the former key back (ENCRYPTION_KEYS, else SECRET_KEY)."
        ) from error
    except encryption.EncryptionError as error:
        raise CredentialsError(str(error)) from error
    return secrets


def _resolve(value: str) -> str:
    if not value.startswith("$"):
        return value
    found = os.environ.get(value[1:])
    if not found:
        raise CredentialsError(f"The environment variable {value[1:]} is not set.")
    return found
