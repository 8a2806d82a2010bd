"""Texts that are stored encrypted."""

from __future__ import annotations

import base64
import hashlib

import pytest
from cryptography.fernet import Fernet
from pytest_django import Settings

from events.encryption import EncryptionError, KeyLost, decrypt, encrypt


def test_what_was_encrypted_reads_the_same_and_looks_different() -> None:
    assert "whsec" not in encrypt("whsec_Grüße")
    assert decrypt(encrypt("whsec_Grüße")) == "whsec_Grüße"


def test_what_earlier_versions_stored_stays_readable(settings: Settings) -> None:
    settings.ENCRYPTION_KEYS, settings.SECRET_KEY = [], "of the installation"
    key = base64.urlsafe_b64encode(hashlib.sha256(b"messaging.credentials:of the installation").digest())
    assert decrypt(Fernet(key).encrypt(b"SG.secret").decode()) == "SG.secret"


def test_an_older_key_still_decrypts_and_a_lost_one_says_what_to_do(settings: Settings) -> None:
    old, new = Fernet.generate_key().decode(), Fernet.generate_key().decode()
    settings.ENCRYPTION_KEYS = [old]
    stored = encrypt("secret")
    settings.ENCRYPTION_KEYS = [new, old]
    assert decrypt(stored) == "secret"
    settings.ENCRYPTION_KEYS = [new]
    with pytest.raises(KeyLost, match="Enter it anew"):
        decrypt(stored)


def test_an_unusable_key_is_named(settings: Settings) -> None:
    settings.ENCRYPTION_KEYS = ["too short"]
    with pytest.raises(EncryptionError, match="ENCRYPTION_KEYS must hold Fernet keys"):
        encrypt("secret")
