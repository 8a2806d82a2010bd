"""A load client that costs next to nothing: requests encoded beforehand, raw sockets kept alive, one thread."""

from __future__ import annotations

import re
import selectors
import socket
from collections import deque
from collections.abc import Iterable

SECONDS = 30.0
_LENGTH = re.compile(rb"\r\ncontent-length: (\d+)\r\n", re.IGNORECASE)


def post(path: str, body: bytes, authorization: str = "") -> bytes:
    """Encode a request once for all."""
    head = f"POST {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n"
    if authorization:
        head += f"Authorization: {authorization}\r\n"
    return f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body


def drive(port: int, requests: Iterable[bytes], connections: int) -> None:
    """Send all requests, each connection the next one as soon as it has its answer. Fails unless all are 200."""
    waiting = deque(requests)
    with selectors.DefaultSelector() as selector:
        for _ in range(min(connections, len(waiting))):
            client = socket.create_connection(("127.0.0.1", port), SECONDS)
            client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            selector.register(client, selectors.EVENT_READ, client)
            client.sendall(waiting.popleft())
        while selector.get_map():
            ready = selector.select(SECONDS)
            assert ready, f"no answer within {SECONDS:.0f} s"
            for key, _ in ready:
                client = key.data
                _check(_answer(client))
                if waiting:
                    client.sendall(waiting.popleft())
                else:
                    selector.unregister(client)
                    client.close()


def _answer(client: socket.socket) -> bytes:
    answer = b""
    while True:
        chunk = client.recv(65536)
        assert chunk, f"the server hung up after {answer!r}"
        answer += chunk
        head, end, body = answer.partition(b"\r\n\r\n")
        length = _LENGTH.search(head + b"\r\n")
        if end and length and len(body) >= int(length[1]):
            return answer


def _check(answer: bytes) -> None:
    assert answer.startswith(b"HTTP/1.1 200 "), answer[:1000]
