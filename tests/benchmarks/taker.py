"""A mail service that costs next to nothing: it accepts whatever is posted, in one thread of a process of its own.

It answers at once, or each call so many milliseconds after it came. ``started`` runs it; it prints its port. A GET is
answered with when, by the machine's monotonic clock, mails were accepted since the last GET.
"""

from __future__ import annotations

import json
import re
import selectors
import socket
import subprocess
import sys
import time
import urllib.request
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager

from tests.stack import ROOT

_LENGTH = re.compile(rb"\r\ncontent-length: (\d+)\r\n", re.IGNORECASE)
_ACCEPTED = b"HTTP/1.1 202 Accepted\r\nX-Message-Id: %d\r\nContent-Length: 0\r\n\r\n"


class Taker:
    """The running service. ``url`` is what goes into ``provider.settings["api_url"]``."""

    def __init__(self, process: subprocess.Popen[bytes]) -> None:
        assert process.stdout is not None
        self.pid = process.pid
        self.url = f"http://127.0.0.1:{int(process.stdout.readline())}/v3/"

    def accepted(self) -> list[float]:
        """Return when mails were accepted since this was asked last."""
        with urllib.request.urlopen(self.url, timeout=30) as answer:
            moments: list[float] = json.load(answer)
        return moments


@contextmanager
def started(milliseconds: int = 0) -> Iterator[Taker]:
    """Run the service for as long as the block lasts."""
    command = [sys.executable, "-m", "tests.benchmarks.taker", str(milliseconds)]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE) as process:
        try:
            yield Taker(process)
        finally:
            process.kill()


def _serve(listener: socket.socket, delay: float) -> None:
    accepted: list[float] = []
    # Answers that are not due yet; all wait equally long, so the first is the next.
    waiting: deque[tuple[float, socket.socket, bytes]] = deque()
    taken = 0
    with selectors.DefaultSelector() as selector:
        selector.register(listener, selectors.EVENT_READ, bytearray())
        while True:
            while waiting and waiting[0][0] <= time.monotonic():
                _, client, answer = waiting.popleft()
                client.sendall(answer)
            for key, _ in selector.select(max(0.0, waiting[0][0] - time.monotonic()) if waiting else None):
                client, heard = key.fileobj, key.data
                assert isinstance(client, socket.socket)
                if client is listener:
                    selector.register(listener.accept()[0], selectors.EVENT_READ, bytearray())
                    continue
                chunk = client.recv(65536)
                heard += chunk
                if not chunk:
                    selector.unregister(client)
                    client.close()
                elif heard.startswith(b"GET") and b"\r\n\r\n" in heard:
                    body = json.dumps(accepted).encode()
                    client.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(body) + body)
                    accepted.clear()
                    heard.clear()
                elif _is_whole(heard):
                    accepted.append(time.monotonic())
                    taken += 1
                    if delay:
                        waiting.append((time.monotonic() + delay, client, _ACCEPTED % taken))
                    else:
                        client.sendall(_ACCEPTED % taken)
                    heard.clear()


def _is_whole(request: bytearray) -> bool:
    head, end, body = request.partition(b"\r\n\r\n")
    length = _LENGTH.search(head + b"\r\n")
    return bool(end) and length is not None and len(body) >= int(length[1])


if __name__ == "__main__":
    with socket.create_server(("127.0.0.1", 0), backlog=128) as server:
        print(server.getsockname()[1], flush=True)
        _serve(server, int(sys.argv[1]) / 1000)
