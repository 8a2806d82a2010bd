"""The keys with which SendGrid signs its posts, as they were entered at its accounts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePublicKey, EllipticCurveSignatureAlgorithm
from cryptography.hazmat.primitives.serialization import load_pem_public_key

from messaging.models import Provider

SETTING = "webhook_key"


@dataclass(frozen=True, slots=True)
class AnyOf:
    """Several keys in place of one: all accounts report to the same address."""

    keys: Sequence[EllipticCurvePublicKey]

    def verify(self, signature: bytes, data: bytes, algorithm: EllipticCurveSignatureAlgorithm) -> None:
        """Return when one of the keys has made ``signature``. Raises InvalidSignature."""
        for key in self.keys:
            try:
                key.verify(signature, data, algorithm)
            except InvalidSignature:
                continue
            return
        raise InvalidSignature


def load(text: str) -> EllipticCurvePublicKey:
    """Read a key as SendGrid shows it: base64 without the lines around it. Raises ValueError."""
    pem = f"-----BEGIN PUBLIC KEY-----\n{text.strip()}\n-----END PUBLIC KEY-----"
    try:
        key = load_pem_public_key(pem.encode())
    except UnsupportedAlgorithm as error:
        raise ValueError(str(error)) from error
    if not isinstance(key, EllipticCurvePublicKey):
        raise ValueError("not an elliptic-curve key")
    return key


def known() -> AnyOf | None:
    """Return the keys of all SendGrid accounts, None when none has one. One statement."""
    accounts = Provider.objects.filter(kind=Provider.Kind.SENDGRID, settings__has_key=SETTING)
    texts = [str(found.get(SETTING) or "") for found in accounts.values_list("settings", flat=True)]
    keys = [load(text) for text in texts if text]
    return AnyOf(keys) if keys else None
