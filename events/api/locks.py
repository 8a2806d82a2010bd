"""How the callers of a hook prove who they are: by knowing its address, by a key, or by a signature of the body."""

from __future__ import annotations

import base64
import hmac
from collections.abc import Callable
from urllib.parse import parse_qs

import msgspec
from django.http import HttpRequest
from msgspec import Raw

from events import encryption
from events.api import authentication
from events.api.authentication import Caller
from events.api.refusal import Refusal
from events.models import Source

# Where callers that cannot set an Authorization header put the key.
KEY_HEADER = "X-Api-Key"
KEY_PARAMETERS = ("key", "api_key", "write_key", "writeKey")

_LIST = msgspec.json.Decoder(list[Raw])


def check(source: Source, request: HttpRequest, body: bytes) -> Caller | None:
    """Let the caller in; return what is known of one that came with a key. Raises Refusal (401)."""
    return LOCKS[Source.Lock(source.lock)](source, request, body)


def _address(source: Source, request: HttpRequest, body: bytes) -> None:
    """Let in whoever knows the address."""


def _key(source: Source, request: HttpRequest, body: bytes) -> Caller:
    given = _given_key(request)
    if not given:
        raise Refusal("unauthorized", f"Send a key of this source: Basic, Bearer or {KEY_HEADER}.", KEY_HEADER, 401)
    caller = authentication.find_caller(given)
    if caller is None or caller.source.pk != source.pk:
        raise Refusal("unauthorized", "The key is unknown, revoked, or of another source.", KEY_HEADER, 401)
    return caller


def _given_key(request: HttpRequest) -> str:
    scheme, credentials = authentication.authorization(request)
    if scheme in ("basic", "bearer"):
        return authentication.user_name(credentials) if scheme == "basic" else credentials
    if KEY_HEADER in request.headers:
        return str(request.headers[KEY_HEADER]).strip()
    parameters = parse_qs(request.META.get("QUERY_STRING", ""))
    return next((parameters[name][0] for name in KEY_PARAMETERS if name in parameters), "")


def _signature(source: Source, request: HttpRequest, body: bytes) -> None:
    name = source.signature_header
    given = str(request.headers.get(name, "")).strip().removeprefix(f"{source.signature_digest}=")
    if not given:
        raise Refusal("unauthorized", f"The signature is missing: {name} has to hold the body's HMAC.", name, 401)
    secret = _secret(source).encode()
    for signed in _signed(source, body):
        digest = hmac.digest(secret, signed, source.signature_digest)
        if _equal(given.lower(), digest.hex()) or _equal(given, base64.b64encode(digest).decode()):
            return
    raise Refusal("unauthorized", "The signature does not fit the body and this hook's signing secret.", name, 401)


def _secret(source: Source) -> str:
    if not source.signing_secret:
        raise Refusal("unauthorized", "This hook has no signing secret yet.", source.signature_header, 401)
    try:
        return encryption.decrypt(source.signing_secret)
    except encryption.EncryptionError:
        # The sender did nothing wrong, and will be right again once the key is back.
        raise Refusal("unavailable", "The signing secret cannot be read. Please send it again.", "", 503) from None


def _signed(source: Source, body: bytes) -> list[bytes]:
    """Return what the signature may be of. Segment signs only the first event of a batch."""
    if source.kind != Source.Kind.SEGMENT or body.lstrip()[:1] != b"[":
        return [body]
    try:
        return [body, *map(bytes, _LIST.decode(body)[:1])]
    except (msgspec.DecodeError, RecursionError):
        return [body]


def _equal(given: str, right: str) -> bool:
    return hmac.compare_digest(given.encode(), right.encode())


LOCKS: dict[Source.Lock, Callable[[Source, HttpRequest, bytes], Caller | None]] = {
    Source.Lock.ADDRESS: _address,
    Source.Lock.KEY: _key,
    Source.Lock.SIGNATURE: _signature,
}
