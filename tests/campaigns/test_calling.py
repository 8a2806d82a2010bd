"""Calls that steps make: to a real receiver, signed, tried again, and their answers used later."""

from __future__ import annotations

import base64
import hmac
import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
import time_machine
from django.core.management import call_command
from django.utils import timezone

from campaigns import calling, enrollment, outgoing, runner
from campaigns.models import Call, Journey, Visit
from campaigns.reasons import Ending, Outcome
from events import privacy
from events.audit import Actor
from events.models import Profile
from messaging.models import Message
from tests.campaigns.flow import happens, make_campaign, send, settle, statements
from tests.factories import make_profile

pytestmark = pytest.mark.django_db


class Receiver:
    """A web server that notes what it is sent and gives the answers it was told to, the last of them for ever."""

    def __init__(self) -> None:
        self.heard: list[tuple[str, str, dict[str, str], bytes]] = []
        self.answers: list[tuple[int, bytes]] = [(200, b'{"tier": "gold", "points": 12}')]
        # Between two bytes of an answer.
        self.pause = 0.0
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            def answer(self) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
                receiver.heard.append((self.command, self.path, dict(self.headers), body))
                status, text = receiver.answers.pop(0) if len(receiver.answers) > 1 else receiver.answers[0]
                self.send_response(status)
                if status == 302:
                    self.send_header("Location", "/elsewhere")
                self.end_headers()
                for piece in [bytes([byte]) for byte in text] if receiver.pause else [text]:
                    self.wfile.write(piece)
                    time.sleep(receiver.pause)

            do_POST = do_GET = do_PUT = answer

            def log_message(self, *args: Any) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}"


@contextmanager
def receiving() -> Iterator[Receiver]:
    found = Receiver()
    threading.Thread(target=found.server.serve_forever, daemon=True).start()
    yield found
    found.server.shutdown()


@pytest.fixture
def receiver(settings: Any) -> Iterator[Receiver]:
    settings.CALLS_TO_PRIVATE_ADDRESSES = True
    with receiving() as found:
        yield found


def call(receiver: Receiver | None = None, **fields: Any) -> dict[str, Any]:
    url = f"{receiver.url}/hook?id={{{{ trigger.id }}}}" if receiver else "http://127.0.0.1:9/hook"
    body = '{"name": {{ customer.name | json }}}'
    return {"id": "crm", "kind": "call", "url": url, "body": body, "headers": {"X-Key": "k"}, "seconds": 600, **fields}


def make_calls() -> None:
    calling.run_due(time.monotonic() + 30)
    settle()


def visit() -> tuple[str, str]:
    return Visit.objects.values_list("outcome", "detail").get(step_id="crm")


def test_a_call_is_made_with_what_is_known_and_signed_so_that_the_receiver_can_check(
    receiver: Receiver, capsys: pytest.CaptureFixture[str]
) -> None:
    make_campaign(call(receiver), send())
    happens(make_profile(traits={"name": "Ada"}), properties={"id": 7})
    settle()
    assert not Message.objects.exists() and not receiver.heard
    make_calls()
    [(method, path, headers, body)] = receiver.heard
    assert (method, path, json.loads(body)) == ("POST", "/hook?id=7", {"name": "Ada"})
    assert (headers["X-Key"], headers["Content-Type"]) == ("k", "application/json")
    call_command("signing_secret")
    key = base64.b64decode(capsys.readouterr().out.strip().removeprefix("whsec_"))
    signed = f"{headers['webhook-id']}.{headers['webhook-timestamp']}.".encode() + body
    assert headers["webhook-signature"] == f"v1,{base64.b64encode(hmac.digest(key, signed, 'sha256')).decode()}"
    assert visit() == (Outcome.ANSWERED, "200 OK")
    assert Message.objects.count() == 1 and Journey.objects.get().ending == Ending.COMPLETED


def test_later_steps_and_messages_know_the_answer(receiver: Receiver) -> None:
    update = {"id": "set", "kind": "update", "traits": {"tier": "{{ journey.answers.crm.tier }}"}}
    make_campaign(call(receiver), update, send())
    person = make_profile()
    happens(person)
    settle()
    make_calls()
    person.refresh_from_db()
    assert person.traits["tier"] == "gold"
    assert Message.objects.get().variables["journey"]["answers"] == {"crm": {"tier": "gold", "points": 12}}


def test_an_answer_that_is_no_json_is_kept_as_text_and_no_more_of_it_than_fits(receiver: Receiver) -> None:
    receiver.answers = [(200, b"o\0k" + b"x" * 100_000)]
    make_campaign(call(receiver), send())
    happens(make_profile())
    settle()
    make_calls()
    answer = Call.objects.get().answer
    assert answer.startswith("okxx") and len(answer) < 33_000


@pytest.mark.parametrize(
    ("body", "kept"),
    [
        (b'{"a": 1e400}', '{"a": 1e400}'),
        (b"1e400", "1e400"),
        (rb'["\ud800", "\u0000"]', ["\N{REPLACEMENT CHARACTER}", "\N{REPLACEMENT CHARACTER}"]),
        (b'{"a": NaN}', {"a": "NaN"}),
        (b"[" * 5_000, "[" * 5_000),
    ],
)
def test_an_answer_that_the_database_cannot_keep_as_it_is_ends_the_call_all_the_same(
    receiver: Receiver, body: bytes, kept: Any
) -> None:
    receiver.answers = [(200, body)]
    make_campaign(call(receiver), send())
    happens(make_profile())
    settle()
    make_calls()
    made = Call.objects.get()
    assert (made.succeeded, made.answer) == (True, kept)


def test_an_answer_that_comes_letter_by_letter_is_given_up(receiver: Receiver, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(outgoing, "MAX_SECONDS", 0.5)
    receiver.answers, receiver.pause = [(200, b"x" * 100)], 0.1
    make_campaign(call(receiver), send())
    happens(make_profile())
    settle()
    began = time.monotonic()
    calling.run_due(time.monotonic() + 1)
    assert time.monotonic() - began < 5
    made = Call.objects.get()
    assert made.finished_at is None and made.detail == "No answer: it was not complete after 0.5 seconds"


@pytest.mark.parametrize("status", [500, 503, 429, 408])
def test_what_may_pass_is_tried_again_with_the_same_id(receiver: Receiver, status: int) -> None:
    receiver.answers = [(status, b""), (status, b""), (200, b"done")]
    make_campaign(call(receiver), send())
    happens(make_profile())
    settle()
    with time_machine.travel(timezone.now(), tick=False) as clock:
        for tries in (1, 2, 3):
            make_calls()
            make_calls()
            assert len(receiver.heard) == tries
            clock.shift(timedelta(seconds=15))
    assert visit() == (Outcome.ANSWERED, "200 OK")
    assert len({headers["webhook-id"] for _, _, headers, _ in receiver.heard}) == 1


@pytest.mark.parametrize(
    ("status", "said"),
    [(404, "404 Not Found"), (400, "400 Bad Request"), (302, "302 Found; redirects are not followed")],
)
def test_what_is_refused_is_not_tried_again_and_the_journey_goes_on(receiver: Receiver, status: int, said: str) -> None:
    receiver.answers = [(status, b"no")]
    make_campaign(call(receiver), send())
    happens(make_profile())
    settle()
    make_calls()
    make_calls()
    assert (visit(), len(receiver.heard)) == ((Outcome.CALL_FAILED, said), 1)
    assert Message.objects.count() == 1


def test_nobody_answers_until_time_is_over(settings: Any) -> None:
    settings.CALLS_TO_PRIVATE_ADDRESSES = True
    with time_machine.travel(timezone.now(), tick=False) as clock:
        make_campaign(call(url="http://127.0.0.1:1/", seconds=60), send())
        happens(make_profile())
        settle()
        for _ in range(7):
            make_calls()
            clock.shift(timedelta(seconds=10))
        settle()
    outcome, detail = visit()
    assert (outcome, detail.startswith("No answer")) == (Outcome.CALL_FAILED, True)
    assert Call.objects.get().attempts > 1 and Message.objects.count() == 1


@pytest.mark.parametrize(
    "url",
    ["http://127.0.0.1:80/", "http://localhost/", "http://[::1]/", "http://169.254.169.254/latest", "http://10.0.0.1/"],
)
def test_private_networks_are_not_called(url: str) -> None:
    make_campaign(call(url=url), send())
    happens(make_profile())
    settle()
    make_calls()
    outcome, detail = visit()
    assert outcome == Outcome.CALL_FAILED and "private network" in detail


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"body": "{{ customer.name | nonsense }}"}, "body: "),
        ({"url": "https://{{ trigger.host }}/"}, "name a host"),
        ({"headers": {"X-Name": "{{ trigger.lines }}"}}, "cannot be sent"),
    ],
)
def test_a_call_that_cannot_be_made_says_why(receiver: Receiver, fields: dict[str, Any], said: str) -> None:
    make_campaign(call(receiver, **fields), send())
    happens(make_profile(), properties={"lines": "a\r\nX-Evil: 1"})
    settle()
    make_calls()
    outcome, detail = visit()
    assert outcome == Outcome.CALL_FAILED and said in detail
    assert not receiver.heard and Message.objects.count() == 1


def test_a_worker_that_dies_in_the_middle_loses_no_call(receiver: Receiver) -> None:
    make_campaign(call(receiver), send())
    happens(make_profile())
    settle()
    calling._claim(timezone.now())  # and is killed
    make_calls()
    assert not receiver.heard
    with time_machine.travel(timezone.now() + calling.LEASE):
        make_calls()
    assert len(receiver.heard) == 1 and Message.objects.count() == 1


def test_a_stopped_journey_calls_nobody_and_an_erased_one_is_forgotten(receiver: Receiver) -> None:
    make_campaign(call(receiver))
    person = make_profile()
    happens(person)
    settle()
    runner.stop(Journey.objects.get())
    make_calls()
    assert not receiver.heard and Call.objects.get().finished_at
    privacy.erase([person.pk], Actor("test"))
    assert not Call.objects.exists()


def test_statements_do_not_grow_with_the_calls(receiver: Receiver) -> None:
    make_campaign(call(receiver), {**call(receiver), "id": "again"}, send())

    def run(people: list[Profile]) -> tuple[int, int]:
        for person in people:
            happens(person)
        enrollment.enroll_pending(time.monotonic() + 30)
        first = statements(lambda: runner.run_due(time.monotonic() + 30))
        calling.run_due(time.monotonic() + 30)
        return first, statements(lambda: runner.run_due(time.monotonic() + 30))

    people = [make_profile() for _ in range(30)]
    run(people[:1])
    few, many = run(people[1:3]), run(people[3:])
    assert few == many
