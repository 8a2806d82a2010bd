"""A web site of its own origin, and somebody who visits it with a real Chromium."""

from __future__ import annotations

import mimetypes
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import TYPE_CHECKING, Any, TypeVar

from playwright.sync_api import BrowserContext, ConsoleMessage, Page, Request

from tests.stack import wait_for

if TYPE_CHECKING:
    from events.models import Event

OPTIONS = ["--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"]
OPTIONS += ["--disable-background-networking", "--disable-component-update", "--disable-sync"]
HTML = "text/html; charset=utf-8"
Found = TypeVar("Found")


class Shop:
    """A web site: what each path answers, the headers of all pages, and files below paths that begin so."""

    def __init__(self, port: int) -> None:
        self.url = f"http://127.0.0.1:{port}"
        self.pages: dict[str, str] = {}
        self.headers: dict[str, str] = {}
        self.files: dict[str, Path] = {}

    def answer(self, path: str) -> tuple[str, bytes] | None:
        """Return type and body, None for what there is not."""
        if path in self.pages:
            return HTML, self.pages[path].encode()
        for beginning, place in self.files.items():
            # What names a whole path is a file, what ends in a slash a folder.
            file = place / path.removeprefix(beginning) if beginning.endswith("/") else place
            if path.startswith(beginning) and file.is_file():
                return mimetypes.guess_type(file.name)[0] or "text/plain", file.read_bytes()
        return None


class Visitor:
    """A browser of one person. Playwright lives in a thread of its own, so that the ORM may be asked meanwhile."""

    def __init__(self, hands: ThreadPoolExecutor, context: BrowserContext, shop: Shop) -> None:
        self.hands, self.context, self.shop = hands, context, shop
        self.complaints: list[str] = []
        self.console: list[str] = []
        self.asked: list[Request] = []

    @property
    def sent(self) -> list[Request]:
        return [request for request in self.asked if request.method == "POST"]

    def do(self, work: Callable[[], Found]) -> Found:
        return self.hands.submit(work).result(60)

    def open(self, path: str = "/") -> Page:
        def work() -> Page:
            page = self.context.new_page()
            page.on("pageerror", lambda error: self.complaints.append(str(error)))
            page.on("console", self._hear)
            page.on("request", lambda request: self.asked.append(request))
            page.goto(self.shop.url + path)
            return page

        return self.do(work)

    def _hear(self, message: ConsoleMessage) -> None:
        if message.type in ("error", "warning"):
            self.console.append(message.text)

    def run(self, page: Page, script: str) -> Any:
        return self.do(lambda: page.evaluate(script))

    def go(self, page: Page, path: str) -> None:
        self.do(lambda: page.goto(self.shop.url + path))

    def pause(self, page: Page, milliseconds: float) -> None:
        self.do(lambda: page.wait_for_timeout(milliseconds))

    def until(self, page: Page, script: str) -> None:
        # Playwright's own waiting needs an eval, which a strict page forbids.
        wait_for(lambda: self.run(page, f"!!({script})"), 15, script)

    def arrived(self, count: int, **filters: object) -> list[Event]:
        """Wait for so many events and return them in the order in which they happened; one more fails the test."""
        # Later than this file, which the fixtures need, Django is ready.
        from events.models import Event

        def have_come() -> bool:
            # Playwright hears of requests only while it is waiting for something.
            self.do(lambda: self.context.pages[0].wait_for_timeout(30) if self.context.pages else None)
            return Event.objects.filter(**filters).count() >= count

        wait_for(have_come, 15, f"{count} events")
        found = list(Event.objects.filter(**filters).select_related("profile").order_by("timestamp", "id"))
        assert len(found) == count, [event.name for event in found]
        return found


@contextmanager
def shop_open() -> Iterator[Shop]:
    """Serve a web site, of an origin of its own, for as long as the block lasts."""

    class Answer(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            found = mine.answer(self.path.partition("?")[0])
            kind, body = found or (HTML, b"")
            self.send_response(200 if found else 404)
            for name, value in {"Content-Type": kind, **mine.headers}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *words: object) -> None:
            """Keep silent."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Answer) as server:
        mine = Shop(server.server_port)
        Thread(target=server.serve_forever, daemon=True).start()
        yield mine
        server.shutdown()
