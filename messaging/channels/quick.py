"""A requests session whose plain posts take a short way: straight to urllib3, the connections of which it keeps.

What requests does besides (merging settings, cookies, redirects, preparing) costs more than the call itself, and a mail
service's API asks for none of it. Anything else goes the usual way.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import certifi
import requests
from requests.structures import CaseInsensitiveDict
from urllib3 import PoolManager, Timeout
from urllib3.exceptions import ConnectTimeoutError, HTTPError, ReadTimeoutError
from urllib3.exceptions import SSLError as TlsError

from messaging import deadlines

# What a call may name and still be plain; of the last only if they are empty.
PLAIN = {"method", "url", "headers", "data", "timeout", "params", "auth", "files", "json"}
EMPTY = ("params", "auth", "files", "json")


class QuickSession(requests.Session):
    """Stands in for ``usual``, whose headers, certificates and proxies it has."""

    def __init__(self, usual: requests.Session) -> None:
        super().__init__()
        self.headers, self.proxies, self.cert = usual.headers, usual.proxies, usual.cert
        self.verify, self.trust_env = usual.verify, usual.trust_env
        deadlines.bound(self)
        self.pools = PoolManager(num_pools=2, maxsize=1, **_trusted(self.verify))
        self.pools.pool_classes_by_scheme = deadlines.POOLS

    def request(self, method: Any, url: Any, *args: Any, **kwargs: Any) -> requests.Response:
        body = kwargs.get("data")
        plain = not args and kwargs.keys() <= PLAIN and not any(kwargs.get(name) for name in EMPTY)
        if not plain or not isinstance(body, str | bytes) or self.proxies or self.cert:
            return super().request(method, url, *args, **kwargs)
        headers = {**self.headers, **kwargs.get("headers", {})}
        try:
            answer = self.pools.urlopen(
                method,
                url,
                body=body.encode() if isinstance(body, str) else body,
                headers=headers,
                timeout=_timeout(kwargs.get("timeout")),
                retries=False,
                redirect=False,
            )
        except (HTTPError, OSError) as error:
            raise _as_requests_has_it(error) from error
        return _response(url, answer)

    def close(self) -> None:
        self.pools.clear()
        super().close()


def _trusted(verify: Any) -> dict[str, Any]:
    """Return whose certificates are believed, as ``requests`` says it: yes, no, a file or a folder."""
    if verify is False:
        return {"cert_reqs": "CERT_NONE"}
    where = certifi.where() if verify is True or verify is None else str(verify)
    return {"cert_reqs": "CERT_REQUIRED", "ca_cert_dir" if Path(where).is_dir() else "ca_certs": where}


def _timeout(given: Any) -> Timeout:
    connect, read = given if isinstance(given, tuple) else (given, given)
    return Timeout(connect=connect, read=read)


def _response(url: str, answer: Any) -> requests.Response:
    response = requests.Response()
    response.status_code, response.reason, response.url = answer.status, answer.reason, url
    response.headers = CaseInsensitiveDict(answer.headers)
    response.encoding = requests.utils.get_encoding_from_headers(response.headers)
    response._content = answer.data
    response._content_consumed = True  # type: ignore[attr-defined]
    return response


def _as_requests_has_it(error: Exception) -> requests.RequestException:
    kinds: tuple[tuple[type[Exception], type[requests.RequestException]], ...] = (
        (ConnectTimeoutError, requests.ConnectTimeout),
        (ReadTimeoutError, requests.ReadTimeout),
        (TlsError, requests.exceptions.SSLError),
    )
    made = next((kind for told, kind in kinds if isinstance(error, told)), requests.ConnectionError)
    return made(error)
