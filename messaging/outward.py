"""Requests to addresses that users have entered: bounded, never redirected, never into our own network.

What a marketer may write as an address must not become a way to ask the machines beside this one.
"""

from __future__ import annotations

from contextlib import closing

from django.conf import settings
from requests import RequestException, Response, Session
from requests_hardened import Config, Manager
from requests_hardened.ip_filter import InvalidIPAddress

from messaging import deadlines
from messaging.errors import SendError

# To connect, and to answer; in seconds.
TIMEOUT = (5.0, 20.0)
MAX_ANSWER = 512 * 1024
MAX_DETAIL = 2000
PRIVATE = (
    "The address leads into a private network, where nothing is called. If it should be, the operator of this "
    "installation sets CALLS_TO_PRIVATE_ADDRESSES."
)
# An account that is refused is put right by its operator, not by losing what waits to be sent.
TRY_LATER = {401, 403, 408, 425, 429}


def session() -> Session:
    """Return a session that keeps its connections; one thread uses one."""
    made: Session = Manager(
        Config(
            ip_filter_enable=not settings.CALLS_TO_PRIVATE_ADDRESSES,
            ip_filter_allow_loopback_ips=False,
            never_redirect=True,
            default_timeout=TIMEOUT,
            user_agent_override="Cuebird/1",
        )
    ).get_session()
    # It would read the environment anew for each request, which costs as much as the rest of it.
    made.trust_env = False
    deadlines.bound(made)
    return made


def body_of(response: Response, limit: int = MAX_ANSWER) -> bytes:
    """Read the body of a streamed ``response``. Raises ValueError when it is longer than ``limit`` bytes."""
    with closing(response):
        read = b""
        for chunk in response.iter_content(65536):
            read += chunk
            if len(read) > limit:
                raise ValueError(f"the answer is longer than {limit // 1024} KB")
        return read


def checked(response: Response) -> Response:
    """Return ``response`` if it says yes. Raises SendError: to be tried again where that may help."""
    if response.ok:
        return response
    later = response.status_code in TRY_LATER or response.status_code >= 500
    text = f"{response.status_code}: {response.text[:MAX_DETAIL]}".strip()
    raise SendError(text, permanent=not later, after=retry_after(response))


def retry_after(response: Response) -> float:
    """Return how many seconds the other side asks to be left alone, 0 when it does not say."""
    said = response.headers.get("Retry-After", "")
    return min(float(said), 3600.0) if said.isdecimal() else 0.0


def failed(error: RequestException) -> SendError:
    """Say what a request that got no answer means: whether the other side may have taken it."""
    from messaging.channels.email import fault

    return SendError(PRIVATE, permanent=True) if isinstance(error, InvalidIPAddress) else fault(error)


def words(error: Exception) -> str:
    """Say for people why nothing was answered."""
    return PRIVATE if isinstance(error, InvalidIPAddress) else f"{type(error).__name__}: {error}"[:300]
