"""A name server on this machine that answers what a test tells it, over UDP as real ones do; or does not answer."""

from __future__ import annotations

import socket
import threading
from types import TracebackType
from typing import Self

import dns.flags
import dns.message
import dns.rcode
import dns.rdatatype
import dns.rrset

Zone = dict[tuple[str, str], tuple[str, ...]]


class NameServer:
    """Answers from ``zone``, by name and type; ``names`` not in it at all do not exist. ``silent``: it says nothing."""

    def __init__(self, zone: Zone | None = None, *, silent: bool = False) -> None:
        self.zone, self.silent = zone or {}, silent
        self.asked: list[tuple[str, str]] = []
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.bind(("127.0.0.1", 0))
        self.thread = threading.Thread(target=self._serve, daemon=True)

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self.socket.getsockname()[1]}"

    def __enter__(self) -> Self:
        self.thread.start()
        return self

    def __exit__(self, *error: type[BaseException] | BaseException | TracebackType | None) -> None:
        self.socket.sendto(b"", self.socket.getsockname())
        self.thread.join()
        self.socket.close()

    def _serve(self) -> None:
        while True:
            data, sender = self.socket.recvfrom(4096)
            if not data:
                return
            query = dns.message.from_wire(data)
            question = query.question[0]
            asked = (question.name.to_text(omit_final_dot=True), dns.rdatatype.to_text(question.rdtype))
            self.asked.append(asked)
            if not self.silent:
                self.socket.sendto(self._answer(query, asked).to_wire(), sender)

    def _answer(self, query: dns.message.Message, asked: tuple[str, str]) -> dns.message.Message:
        answer = dns.message.make_response(query)
        answer.flags |= dns.flags.RA
        name, kind = asked
        if target := self.zone.get((name, "CNAME")):
            answer.answer.append(dns.rrset.from_text(query.question[0].name, 300, "IN", "CNAME", f"{target[0]}."))
            name = target[0]
        records = self.zone.get((name, kind), ())
        if records:
            texts = [_strings(record) if kind == "TXT" else record for record in records]
            answer.answer.append(dns.rrset.from_text(f"{name}.", 300, "IN", kind, *texts))
        elif not any(known == name for known, _ in self.zone):
            answer.set_rcode(dns.rcode.NXDOMAIN)
        return answer


def _strings(text: str) -> str:
    """Return a TXT record as zone files have it: in strings of at most 255 characters."""
    return " ".join(f'"{text[at : at + 255]}"' for at in range(0, len(text), 255))
