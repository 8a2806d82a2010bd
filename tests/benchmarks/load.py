"""A load client that costs next to nothing: requests encoded beforehand, raw sockets kept alive, one thread."""

from __future__ import annotations

import re
import selectors
import socket
import time
from collections import deque
from collections.abc import Iterable, Sequence

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
            client = _connect(port)
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


def pace(port: int, requests: Sequence[bytes], per_second: float, connections: int) -> list[float]:
    """Send so many requests a second, whatever the answers take; return when each was to be sent, by ``monotonic``.

    A request whose time has come while all connections wait for an answer is sent late, and was to be sent no later.
    Fails unless all answers are 200.
    """
    free = [_connect(port) for _ in range(connections)]
    clients = list(free)
    began = time.monotonic()
    due = [began + number / per_second for number in range(len(requests))]
    sent = 0
    with selectors.DefaultSelector() as selector:
        while sent < len(requests) or selector.get_map():
            while sent < len(requests) and free and due[sent] <= time.monotonic():
                client = free.pop()
                client.sendall(requests[sent])
                selector.register(client, selectors.EVENT_READ, client)
                sent += 1
            soon = due[sent] - time.monotonic() if sent < len(requests) and free else SECONDS
            ready = selector.select(max(0.0, soon))
            assert ready or soon < SECONDS, f"no answer within {SECONDS:.0f} s"
            for key, _ in ready:
                _check(_answer(key.data))
                selector.unregister(key.data)
                free.append(key.data)
    for client in clients:
        client.close()
    return due


def _connect(port: int) -> socket.socket:
    client = socket.create_connection(("127.0.0.1", port), SECONDS)
    client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return client


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
