"""Are a campaign's messages going well? Rates against limits. Pure."""

from __future__ import annotations

from dataclasses import dataclass

# Fewer reports than this are bad luck, however few messages there are.
LEAST_REPORTS = 3


@dataclass(frozen=True, slots=True)
class Sample:
    """What became of the messages that were sent, or should have been, in a span of time."""

    sent: int = 0
    failed: int = 0
    rejected: int = 0
    bounced: int = 0
    complained: int = 0
    unsubscribed: int = 0


@dataclass(frozen=True, slots=True)
class Limits:
    """Shares in per cent, None: not guarded. ``sample`` is how many messages there have to be before any counts."""

    bounced: float | None
    complained: float | None
    failed: float | None
    unsubscribed: float | None
    sample: int


@dataclass(frozen=True, slots=True)
class Rate:
    """A rate: ``reports`` of ``messages``, and the limit in per cent. ``verb`` says what the messages did."""

    verb: str
    reports: int
    messages: int
    limit: float | None

    @property
    def percent(self) -> float:
        return 100 * self.reports / self.messages if self.messages else 0.0


def rates(sample: Sample, limits: Limits) -> list[Rate]:
    """Return every guarded rate. What failed was never sent, so it is a share of all that should have been."""
    failed = sample.failed + sample.rejected
    return [
        Rate("bounced", sample.bounced, sample.sent, limits.bounced),
        Rate("were reported as spam", sample.complained, sample.sent, limits.complained),
        Rate("failed", failed, sample.sent + sample.failed, limits.failed),
        Rate("led to an unsubscription", sample.unsubscribed, sample.sent, limits.unsubscribed),
    ]


def breach(sample: Sample, limits: Limits) -> Rate | None:
    """Return the first rate that is over its limit, None where all is well or there are too few messages to say."""
    for rate in rates(sample, limits):
        enough = rate.messages >= limits.sample and rate.reports >= LEAST_REPORTS
        if rate.limit is not None and enough and rate.percent > rate.limit:
            return rate
    return None
