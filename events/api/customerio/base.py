"""What the addresses of Customer.io's API have in common: credentials, how a call is taken, how errors are said."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime

from django.http import JsonResponse

from events.api import authentication, inbound, limits
from events.api.authentication import Caller, SiteKeyAuthentication
from events.api.customerio.performing import Arranged, Operation, Rejected, Step, arrange, perform
from events.api.receiving import ReceivingView
from events.api.refusal import Refusal
from events.models import InboundRequest


@dataclass(frozen=True, slots=True)
class Asked:
    """What a call asks for, and by index what of it cannot be read."""

    steps: Sequence[Step]
    rejected: Rejected = field(default_factory=list)


def unreadable() -> Refusal:
    return Refusal("not_found", "Calls of this address are not read again.", "path", 404)


class TrackApiView(ReceivingView):
    """Take calls. Success is an empty object: libraries take a body that is not JSON for a failure."""

    authentication_classes = [SiteKeyAuthentication]

    def refused(self, refusal: Refusal) -> dict[str, object]:
        said = refusal.message
        if refusal.status == 400 and refusal.field.rpartition(".")[2] not in said:
            said = f"{said} (field {refusal.field})"
        return {"meta": {"error": said}}

    def asked(self, method: str, body: bytes, received_at: datetime, **path: str) -> Asked:
        """Read a call of this address; does nothing. Raises Refusal."""
        raise unreadable()

    @property
    def known_caller(self) -> Caller:
        assert self.caller is not None, "initial() lets nobody else through"
        return self.caller

    def take(self, received_at: datetime, *operations: Operation) -> JsonResponse:
        """Do what one call asks for, and answer. Raises Refusal for the first thing that cannot be done."""
        limits.spend(self.known_caller, 1)
        steps = [Step(0, operation) for operation in operations]
        arranged = arrange(self.known_caller.source, steps, received_at)
        rejected = arranged.rejected
        if not rejected:
            rejected = self.carry_out(arranged, self.described(200, {}) if inbound.sampled() else None)
        if rejected:
            raise rejected[0][1]
        return JsonResponse({})

    def carry_out(self, arranged: Arranged, kept: InboundRequest | None) -> Rejected:
        """Do what is arranged, and keep the call unless something more is rejected. Returns what was."""
        rejected = perform(self.known_caller, arranged, kept)
        if kept is not None and kept._state.adding and not rejected:
            kept.accepted = arranged.items
            inbound.keep(kept)
        authentication.note_use(self.known_caller)
        return rejected
