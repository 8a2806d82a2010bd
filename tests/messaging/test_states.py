"""The life of a message: only along the table, and the same end in whatever order reports come in."""

from __future__ import annotations

from itertools import permutations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from messaging.states import BEGINS, LABELS, MOVES, REPORTED, IllegalMove, Sending, Status, after_report, move

FINAL = {Status.SKIPPED, Status.COMPLAINED}


def end(start: Status, reports: tuple[Status, ...]) -> Status:
    for report in reports:
        start = after_report(start, report)
    return start


def test_every_status_has_its_moves_and_its_words() -> None:
    assert set(MOVES) == set(LABELS) == set(Status)
    assert {status for status, moves in MOVES.items() if not moves} == FINAL
    assert set(BEGINS) == set(Sending)


@pytest.mark.parametrize("current", Status)
@pytest.mark.parametrize("wanted", Status)
def test_a_move_goes_along_the_table_or_raises(current: Status, wanted: Status) -> None:
    if wanted in MOVES[current]:
        assert move(current, wanted) is wanted
    else:
        with pytest.raises(IllegalMove, match=f"{current} cannot become {wanted}"):
            move(current, wanted)
        assert after_report(current, wanted) is current


def test_a_late_weaker_report_does_not_lower_the_status() -> None:
    assert after_report(Status.CLICKED, Status.DELIVERED) is Status.CLICKED
    assert after_report(Status.BOUNCED, Status.OPENED) is Status.BOUNCED
    assert after_report(Status.COMPLAINED, Status.CLICKED) is Status.COMPLAINED


@given(st.sampled_from(Status), st.lists(st.sampled_from(REPORTED), min_size=2, max_size=4, unique=True))
def test_the_order_of_reports_does_not_matter(start: Status, reports: list[Status]) -> None:
    assert len({end(start, order) for order in permutations(reports)}) == 1


@pytest.mark.parametrize("start", [Status.QUEUED, Status.SENDING, Status.UNKNOWN, Status.FAILED, Status.SENT])
def test_a_report_is_evidence_whatever_we_thought(start: Status) -> None:
    assert after_report(start, Status.DELIVERED) is Status.DELIVERED


@pytest.mark.parametrize("status", [Status.SKIPPED, Status.DRAFT])
def test_what_was_skipped_or_is_a_draft_was_never_sent(status: Status) -> None:
    assert after_report(status, Status.DELIVERED) is status
