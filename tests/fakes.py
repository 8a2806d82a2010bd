"""Local stand-ins for mail services: the HTTP APIs of SendGrid and Postmark, and an SMTP server.

Each records what it is asked and can be told to refuse, dawdle or hang up. They listen on 127.0.0.1, so processes that
a test starts reach them as well.
"""

from __future__ import annotations

import json
import socket
import threading
import time
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from email import message_from_bytes, policy
from email.message import EmailMessage
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self
from urllib.parse import parse_qsl
from uuid import uuid4

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP as SmtpProtocol
from aiosmtpd.smtp import AuthResult, Envelope, LoginPassword, Session

KEY = "key-of-the-fake-service"

Answer = tuple[int, Any, dict[str, str]]


@dataclass(frozen=True, slots=True)
class Call:
    """A request that came in; ``connection`` tells which connection it came by."""

    method: str
    path: str
    headers: dict[str, str]
    body: Any
    connection: int


@dataclass(frozen=True, slots=True)
class Mishap:
    """What happens to a call instead of, or before, the answer. ``takes`` says whether the mail counts as taken.

    ``drips``: the answer comes letter by letter, so many seconds apart.
    """

    status: int = 0
    body: Any = None
    seconds: float = 0.0
    hang_up: bool = False
    takes: bool = False
    drips: float = 0.0


class Service:
    """A fake HTTP API, of JSON or forms; ``raw`` ones keep bodies as they come.

    ``mishaps`` befall the next sends, one each; ``delay`` holds up every answer.

    ``url``, once it runs, is what goes into ``provider.settings["api_url"]``.
    """

    path = "/"
    raw = False

    def __init__(self) -> None:
        self.calls: list[Call] = []
        self.taken: list[Call] = []
        self.mishaps: deque[Mishap] = deque()
        self.delay = 0.0
        self.lock = threading.Lock()

    def __enter__(self) -> Self:
        handler = type("Handler", (_Handler,), {"service": self})
        self.server = _Server(("127.0.0.1", 0), handler)
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}{self.path}"
        self.thread = threading.Thread(target=self.server.serve_forever, args=(0.05,), daemon=True)
        self.thread.start()
        return self

    def __exit__(self, *error: object) -> None:
        self.server.shutdown()
        self.server.server_close()
        self.thread.join(5)

    def message_ids(self) -> list[str]:
        """Return our ids of the mails the service has taken."""
        with self.lock:
            return [message_id_of(call.body) for call in self.taken]

    def answer(self, call: Call) -> Answer:
        """Return status, JSON body and headers for a call that nothing befalls."""
        raise NotImplementedError


def message_id_of(body: Any) -> str:
    """Return our id from the body of a SendGrid or Postmark call."""
    known = body.get("custom_args") or body.get("Metadata") or {}
    return str(known.get("message_id", ""))


class FakeSendGrid(Service):
    """SendGrid's v3 API: mail/send and scopes."""

    path = "/v3/"

    def answer(self, call: Call) -> Answer:
        # Any key that looks like one will do, but for the one that tests use as wrong.
        if not call.headers.get("authorization", "").startswith("Bearer ") or "wrong" in call.headers["authorization"]:
            return 401, {"errors": [{"message": "The provided authorization grant is invalid", "field": None}]}, {}
        if call.path.endswith("/scopes"):
            return 200, {"scopes": ["mail.send", "alerts.read"]}, {}
        if _recipient(call.body).startswith("refused"):
            return 400, {"errors": [{"message": "Does not contain a valid address.", "field": "to"}]}, {}
        return 202, None, {"X-Message-Id": uuid4().hex}

    def reports(self, event: str, **details: Any) -> list[dict[str, Any]]:
        """Return what the event webhook would post: ``event`` about each mail that was taken."""
        with self.lock:
            return [sendgrid_report(event, call.body, **details) for call in self.taken]


class FakePostmark(Service):
    """Postmark's API: email, server, and the search for messages, which finds those of ``found`` (id by our id)."""

    def __init__(self) -> None:
        super().__init__()
        self.found: dict[str, str] = {}

    def answer(self, call: Call) -> Answer:
        token = call.headers.get("x-postmark-server-token", "")
        if not token or "wrong" in token:
            return 401, {"ErrorCode": 10, "Message": "The Server Token you provided was invalid."}, {}
        if call.path.endswith("/server"):
            return 200, {"ID": 1, "Name": "Acme live"}, {}
        if "/messages/outbound" in call.path:
            asked = dict(parse_qsl(call.path.partition("?")[2]))
            known = (
                [{"MessageID": self.found[asked["metadata_message_id"]]}]
                if asked["metadata_message_id"] in self.found
                else []
            )
            return 200, {"TotalCount": len(known), "Messages": known}, {}
        if call.body["To"].startswith("inactive"):
            text = (
                "You tried to send to a recipient that has been marked as inactive.\n"
                f"Found inactive addresses: {call.body['To']}.\n"
                "Inactive recipients are ones that have generated a hard bounce or a spam complaint. "
            )
            return 422, {"ErrorCode": 406, "Message": text}, {}
        return 200, {"To": call.body["To"], "MessageID": str(uuid4()), "ErrorCode": 0, "Message": "OK"}, {}


def sendgrid_report(event: str, body: Any, **details: Any) -> dict[str, Any]:
    """Return one event of SendGrid's webhook about the mail of ``body``."""
    return {
        "email": _recipient(body),
        "timestamp": int(time.time()),
        "smtp-id": f"<{uuid4().hex}@geopod-ismtpd-1>",
        "event": event,
        "sg_event_id": uuid4().hex,
        "sg_message_id": f"{uuid4().hex}.recvd-5c9f9c9f9-abcde-1-65000000-1.0",
        **body.get("custom_args", {}),
        **body["personalizations"][0].get("custom_args", {}),
        **details,
    }


def _recipient(body: Any) -> str:
    return str(body["personalizations"][0]["to"][0]["email"])


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    # Two packets an answer would wait for each other.
    disable_nagle_algorithm = True
    service: Service

    def do_GET(self) -> None:
        self._serve(None)

    def do_POST(self) -> None:
        self._serve(self._body(self.rfile.read(int(self.headers.get("Content-Length", 0)))))

    def _body(self, read: bytes) -> Any:
        if self.service.raw:
            return read
        if self.headers.get("Content-Type", "").startswith("application/x-www-form-urlencoded"):
            return dict(parse_qsl(read.decode(), keep_blank_values=True))
        return json.loads(read)

    def _serve(self, body: Any) -> None:
        service = self.service
        headers = {name.lower(): value for name, value in self.headers.items()}
        call = Call(self.command, self.path, headers, body, self.client_address[1])
        with service.lock:
            service.calls.append(call)
            mishap = service.mishaps.popleft() if body is not None and service.mishaps else Mishap(takes=True)
        time.sleep(service.delay + mishap.seconds)
        status, answer, extra = service.answer(call)
        if body is not None and mishap.takes and status < 300:
            with service.lock:
                service.taken.append(call)
        if mishap.hang_up:
            self.close_connection = True
            return
        if mishap.drips:
            self._drip(mishap.drips)
            return
        if mishap.status:
            status, answer, extra = mishap.status, mishap.body, {}
        self._write(status, answer, extra)

    def _drip(self, seconds: float) -> None:
        """Answer so slowly that no wait of the caller is ever over, and no answer either."""
        self.close_connection = True
        try:
            for letter in b"HTTP/1.1 202 Accepted\r\nX-Nothing: " + b"x" * 10_000:
                self.wfile.write(bytes([letter]))
                self.wfile.flush()
                time.sleep(seconds)
        except OSError:
            return

    def _write(self, status: int, answer: Any, extra: dict[str, str]) -> None:
        content = b"" if answer is None else json.dumps(answer).encode()
        self.send_response(status)
        for name, value in {"Content-Type": "application/json", "Content-Length": str(len(content)), **extra}.items():
            self.send_header(name, value)
        self.end_headers()
        try:
            self.wfile.write(content)
        except OSError:
            # The caller had waited long enough.
            self.close_connection = True

    def log_message(self, format: str, *args: Any) -> None:
        """Keep the test's output readable."""


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    # A pool of senders connects all at once.
    request_queue_size = 128


@dataclass
class Smtp:
    """A running SMTP server. ``answers`` are given to the next mails instead of 250; "" hangs up."""

    port: int = 0
    mails: list[EmailMessage] = field(default_factory=list)
    recipients: list[str] = field(default_factory=list)
    answers: deque[str] = field(default_factory=deque)
    connections: int = 0
    logins: list[tuple[str, str]] = field(default_factory=list)
    transports: set[Any] = field(default_factory=set)

    async def handle_DATA(self, server: SmtpProtocol, session: Session, envelope: Envelope) -> str:
        answer = self.answers.popleft() if self.answers else "250 OK"
        if not answer.startswith(("4", "5")):
            content = envelope.original_content or b""
            self.mails.append(message_from_bytes(content, policy=policy.default))
            self.recipients += envelope.rcpt_tos
        if not answer:
            self.drop_connections()
        return answer or "250 OK"

    async def handle_RCPT(
        self, server: SmtpProtocol, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        if address.startswith("nobody"):
            return "550 5.1.1 No such mailbox"
        if address.startswith("full"):
            return "452 4.2.2 Mailbox full"
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_EHLO(
        self, server: SmtpProtocol, session: Session, envelope: Envelope, hostname: str, responses: list[str]
    ) -> list[str]:
        self.connections += 1
        session.host_name = hostname
        return responses

    def authenticate(self, server: Any, session: Any, envelope: Any, mechanism: str, data: Any) -> AuthResult:
        assert isinstance(data, LoginPassword)
        self.logins.append((data.login.decode(), data.password.decode()))
        return AuthResult(success=data.password == KEY.encode(), handled=False)

    def drop_connections(self) -> None:
        """Hang up on everybody, as servers do with idle connections."""
        for transport in list(self.transports):
            transport.abort()


@contextmanager
def smtp(*, log_in: bool = False) -> Iterator[Smtp]:
    """Run an SMTP server on this machine, without TLS; ``log_in``: it takes mail after a log-in only."""
    fake = Smtp()

    class Protocol(SmtpProtocol):
        def connection_made(self, transport: Any) -> None:
            fake.transports.add(transport)
            super().connection_made(transport)

        def connection_lost(self, error: Exception | None) -> None:
            fake.transports.discard(self.transport)
            super().connection_lost(error)

    class Local(Controller):
        def factory(self) -> SmtpProtocol:
            options: dict[str, Any] = {"auth_required": True, "auth_require_tls": False} if log_in else {}
            return Protocol(self.handler, authenticator=fake.authenticate if log_in else None, **options)

    controller = Local(fake, hostname="127.0.0.1", port=_free_port())
    controller.start()
    fake.port = controller.port
    try:
        yield fake
    finally:
        controller.stop()


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
