"""What the addresses of Customer.io's API have in common: credentials, how a call is taken, how errors are said."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from django.http import JsonResponse

from events.api import authentication, inbound, limits
from events.api.authentication import Caller, SiteKeyAuthentication
from events.api.customerio.performing import Operation, Rejected, Step, is_events_alone, perform, settle
from events.api.receiving import ReceivingView
from events.api.refusal import Refusal
from events.models import InboundRequest


class TrackApiView(ReceivingView):
    """Take calls. Success is an empty object: libraries take a body that is not JSON for a failure."""

    authentication_classes = [SiteKeyAuthentication]

    def refused(self, refusal: Refusal) -> dict[str, object]:
        return {"meta": {"error": refusal.message}}

    @property
    def known_caller(self) -> Caller:
        assert self.caller is not None, "initial() lets nobody else through"
        return self.caller

    def take(self, received_at: datetime, *operations: Operation) -> JsonResponse:
        """Do what one call asks for, and answer. Raises Refusal for the first thing that cannot be done."""
        limits.spend(self.known_caller, 1)
        steps, rejected = settle([Step(0, operation) for operation in operations], self.known_caller.source)
        if not rejected:
            kept = self.described(200, {}) if inbound.sampled() else None
            rejected = self.carry_out(steps, received_at, kept)
        if rejected:
            raise rejected[0][1]
        return JsonResponse({})

    def carry_out(self, steps: Sequence[Step], received_at: datetime, kept: InboundRequest | None) -> Rejected:
        """Do all steps, and keep the call unless something is rejected. Returns what was."""
        rejected = perform(self.known_caller, steps, received_at, kept if is_events_alone(steps) else None)
        if kept is not None and kept._state.adding and not rejected:
            kept.accepted = len({step.index for step in steps})
            inbound.keep(kept)
        authentication.note_use(self.known_caller)
        return rejected
