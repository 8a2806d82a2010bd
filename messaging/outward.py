"""Requests to addresses that users have entered: bounded, never redirected, never into our own network.

What a marketer may write as an address must not become a way to ask the machines beside this one.
"""

from __future__ import annotations

from contextlib import closing
from typing import Any

from django.conf import settings
from requests import ConnectionError as ConnectionFailed
from requests import ConnectTimeout, RequestException, Response, Session
from requests.exceptions import SSLError
from requests_hardened import Config, Manager
from requests_hardened.ip_filter import InvalidIPAddress
from urllib3.exceptions import ConnectTimeoutError, NewConnectionError

from messaging import deadlines
from messaging.errors import SendError

# To connect, and to answer; in seconds.
TIMEOUT = (5.0, 20.0)
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


def body_of(response: Response, limit: int) -> bytes:
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


def call(session: Session, method: str, url: str, **what: Any) -> Response:
    """Make a request that has to be taken, and return the answer. Raises SendError."""
    try:
        answer = session.request(method, url, **what)
    except RequestException as error:
        raise failed(error) from error
    return checked(answer)


def failed(error: RequestException) -> SendError:
    """Say what a request that got no answer means, wherever its address came from."""
    return SendError(PRIVATE, permanent=True) if isinstance(error, InvalidIPAddress) else unanswered(error)


def unanswered(error: RequestException) -> SendError:
    """Say what a request that got no answer means: whether the other side may have taken it."""
    text = (str(error).strip() or type(error).__name__)[:MAX_DETAIL]
    return SendError(text, permanent=False, outcome_unknown=not _before_the_request(error))


def words(error: Exception) -> str:
    """Say for people why nothing was answered."""
    return PRIVATE if isinstance(error, InvalidIPAddress) else f"{type(error).__name__}: {error}"[:300]


def _before_the_request(error: Exception) -> bool:
    """Return whether the connection was never made, so that nothing can have been taken."""
    if isinstance(error, ConnectTimeout | SSLError):
        return True
    causes, cause = [], error.__cause__ if error.__cause__ is not None else error
    while isinstance(cause, BaseException) and cause not in causes:
        causes.append(cause)
        reason = getattr(cause, "reason", None) or next(iter(cause.args), None)
        cause = reason if isinstance(reason, BaseException) else cause.__context__  # type: ignore[assignment]
    return isinstance(error, ConnectionFailed) and any(
        isinstance(cause, NewConnectionError | ConnectTimeoutError) for cause in causes
    )
