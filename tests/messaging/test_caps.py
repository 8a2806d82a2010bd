"""Frequency caps: who goes, who waits, and that no course of events breaks the two promises."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from messaging.caps import PAUSE, About, Cap, Drop, Go, Hold, Pause, Sent, Verdict, Waiting, arbitrate

NOW = datetime(2026, 3, 2, 12, tzinfo=UTC)
DAY, HOUR = timedelta(days=1), timedelta(hours=1)
NEWS, OFFERS = About("email", 1), About("email", 2)
ONE_A_DAY = Cap("At most 1 a day", 1, DAY)
TWO_A_DAY = Cap("At most 2 a day", 2, DAY)


def ago(hours: float, about: About = NEWS) -> Sent:
    return Sent(about, NOW - timedelta(hours=hours))


def waits(number: int, priority: int = 0, about: About = NEWS, **more: object) -> Waiting:
    return replace(Waiting(number, about, priority, NOW), **more)


def verdict(cap: Cap, *sent: Sent, **more: object) -> Verdict:
    return arbitrate([cap], sent, [waits(1, **more)], NOW)[1]


@pytest.mark.parametrize(
    ("sent", "expected"),
    [
        ([], Go()),
        ([ago(1)], Go()),
        ([ago(1), ago(5)], Hold(TWO_A_DAY, NOW + 19 * HOUR, last=False)),
        ([ago(1), ago(5), ago(6)], Hold(TWO_A_DAY, NOW + 19 * HOUR, last=False)),
        ([ago(5), ago(24)], Go()),
        ([ago(5), ago(23.9), ago(40)], Hold(TWO_A_DAY, NOW + timedelta(minutes=6), last=False)),
    ],
)
def test_what_was_sent_within_the_window_counts(sent: list[Sent], expected: Verdict) -> None:
    assert arbitrate([TWO_A_DAY], sent, [waits(1)], NOW)[1] == expected


def test_a_cap_may_be_about_a_topic_a_channel_or_both() -> None:
    caps = {
        "topic": replace(ONE_A_DAY, topic=1),
        "channel": replace(ONE_A_DAY, channel="email"),
        "both": replace(ONE_A_DAY, topic=1, channel="email"),
    }
    abouts = {"news": NEWS, "offers": OFFERS, "news by SMS": About("sms", 1), "no topic": About("email")}
    held = {
        name: {
            what
            for what, about in abouts.items()
            if arbitrate([cap], [ago(1)], [waits(1, about=about)], NOW)[1] != Go()
        }
        for name, cap in caps.items()
    }
    assert held == {
        "topic": {"news", "news by SMS"},
        "channel": {"news", "offers", "no topic"},
        "both": {"news"},
    }
    assert all(verdict(cap, ago(1, About("push", 2))) == Go() for cap in caps.values())


def test_no_cap_is_no_limit() -> None:
    assert set(arbitrate([], [ago(1)] * 50, [waits(n) for n in range(50)], NOW).values()) == {Go()}


def test_the_most_important_goes_and_of_equals_the_oldest() -> None:
    low, normal, older, high = waits(1, -4), waits(3), waits(2), waits(4, 4)
    found = arbitrate([TWO_A_DAY], [], [low, normal, older, high], NOW)
    pause = Pause(TWO_A_DAY, NOW + PAUSE)
    assert found == {4: Go(), 2: Go(), 3: pause, 1: pause}


def test_who_has_a_seat_is_not_unseated_and_what_is_more_important_waits_for_the_outcome() -> None:
    seated = waits(1, -4, seated=True, due_at=NOW + HOUR)
    found = arbitrate([ONE_A_DAY], [], [seated, waits(2, 24)], NOW)
    assert found == {1: Go(), 2: Pause(ONE_A_DAY, NOW + HOUR + PAUSE)}


def test_who_is_held_by_one_cap_is_not_in_the_way_of_others_under_another() -> None:
    of_news = replace(ONE_A_DAY, topic=1)
    found = arbitrate([of_news, TWO_A_DAY], [ago(2)], [waits(1, 4), waits(2, 0, OFFERS)], NOW)
    assert found == {1: Hold(of_news, NOW + 22 * HOUR, last=False), 2: Go()}


def test_of_several_full_caps_the_last_to_have_room_is_named() -> None:
    one_an_hour = Cap("At most 1 an hour", 1, HOUR)
    found = arbitrate([one_an_hour, TWO_A_DAY], [ago(0.5), ago(2)], [waits(1)], NOW)
    assert found[1] == Hold(TWO_A_DAY, NOW + 22 * HOUR, last=False)


def test_a_cap_that_drops_drops_what_finds_it_full_and_nothing_that_may_yet_find_room() -> None:
    cap = replace(ONE_A_DAY, drops=True)
    assert verdict(cap, ago(1)) == Drop(cap)
    assert arbitrate([cap], [], [waits(1), waits(2)], NOW)[2] == Pause(cap, NOW + PAUSE)


@pytest.mark.parametrize(("spares", "urgent", "goes"), [(True, True, True), (True, False, False), (False, True, False)])
def test_what_is_urgent_passes_only_where_the_cap_says_so_and_counts(spares: bool, urgent: bool, goes: bool) -> None:
    cap = replace(ONE_A_DAY, spares_urgent=spares)
    assert (verdict(cap, ago(1), urgent=urgent) == Go()) is goes
    passing = [waits(1, 24, urgent=True), waits(2)]
    assert arbitrate([cap], [], passing, NOW)[2] == Pause(cap, NOW + PAUSE)


def test_nobody_is_held_for_ever() -> None:
    cap = replace(Cap("At most 1 in 7 days", 1, 7 * DAY), patience=2 * DAY)
    assert verdict(cap, ago(1)) == Hold(cap, NOW + 2 * DAY, last=True)
    assert verdict(cap, ago(1), held_since=NOW - DAY) == Hold(cap, NOW + DAY, last=True)
    assert verdict(cap, ago(1), held_since=NOW - 2 * DAY) == Drop(cap, late=True)
    assert verdict(cap, held_since=NOW - 9 * DAY) == Go()


@dataclass
class Course:
    """One message in a made-up course of events: what became of it so far."""

    number: int
    priority: int
    about: About
    arrives: int
    urgent: bool
    state: str = "waiting"
    due: datetime = NOW
    held_since: datetime | None = None
    sent_at: datetime | None = None

    @property
    def turn(self) -> tuple[int, int]:
        return -self.priority, self.number


class World:
    """One person, any number of workers that claim at any time, providers that take their time or refuse."""

    def __init__(self, caps: list[Cap], courses: list[Course]) -> None:
        self.caps, self.courses, self.now = caps, courses, NOW
        for course in courses:
            course.due = NOW + timedelta(minutes=course.arrives)

    def in_state(self, *states: str) -> list[Course]:
        return [course for course in self.courses if course.state in states]

    def present(self) -> list[Course]:
        """Return what a worker sees: what is due, what is held, and what has a seat."""
        seen = self.in_state("waiting", "seat")
        return [one for one in seen if one.due <= self.now or one.held_since or one.state == "seat"]

    def claim(self, numbers: set[int]) -> None:
        present = self.present()
        sent = [Sent(one.about, one.sent_at) for one in self.courses if one.sent_at]
        waiting = [
            Waiting(one.number, one.about, one.priority, one.due, one.urgent, one.state == "seat", one.held_since)
            for one in present
        ]
        verdicts = arbitrate(self.caps, sent, waiting, self.now)
        claimed = [one for one in present if one.number in numbers and one.state == "waiting" and one.due <= self.now]
        for one in claimed:
            self.judge(one, verdicts[one.number], present)
        for one in claimed:
            self.apply(one, verdicts[one.number])

    def taken(self, cap: Cap) -> int:
        """Count slowly what ``cap`` has to reckon with: what was sent within its window, and what is on its way."""
        sent = sum(
            1 for one in self.courses if one.sent_at and cap.covers(one.about) and self.now - one.sent_at < cap.window
        )
        return sent + sum(1 for one in self.in_state("seat") if cap.covers(one.about))

    def judge(self, one: Course, found: Verdict, present: list[Course]) -> None:
        """Check a verdict against the plain words of the promises."""
        binding = [cap for cap in self.caps if cap.covers(one.about) and not (one.urgent and cap.spares_urgent)]
        first = all(one.turn <= other.turn for other in present if other.state == "waiting")
        if first and all(self.taken(cap) < cap.most for cap in binding):
            assert found == Go(), "nobody comes before it, and there is room"
        if found != Go():
            return
        for cap in binding:
            before = [
                other
                for other in present
                if other.state == "waiting" and other.turn < one.turn and cap.covers(other.about)
            ]
            still_can = [other for other in before if not self.is_shut_out(other)]
            assert self.taken(cap) + len(still_can) < cap.most

    def is_shut_out(self, one: Course) -> bool:
        return any(
            sum(1 for o in self.courses if o.sent_at and cap.covers(o.about) and self.now - o.sent_at < cap.window)
            >= cap.most
            for cap in self.caps
            if cap.covers(one.about) and not (one.urgent and cap.spares_urgent)
        )

    def apply(self, one: Course, found: Verdict) -> None:
        match found:
            case Go():
                one.state = "seat"
            case Pause(until=until):
                one.due = until
            case Hold(until=until):
                assert until > self.now
                one.due, one.held_since = until, one.held_since or self.now
            case Drop():
                one.state = "dropped"

    def finish(self, refused: bool) -> None:
        """Let the seat that was given first come to its end."""
        for one in self.in_state("seat")[:1]:
            one.state, one.sent_at = ("failed", None) if refused else ("sent", self.now)


ABOUTS = st.sampled_from([NEWS, OFFERS, About("email"), About("sms", 1)])
CAPS = st.builds(
    Cap,
    words=st.just("cap"),
    most=st.integers(1, 3),
    window=st.integers(1, 300).map(lambda minutes: timedelta(minutes=minutes)),
    topic=st.sampled_from([None, None, 1]),
    channel=st.sampled_from(["", "", "email"]),
    drops=st.booleans(),
    spares_urgent=st.booleans(),
    patience=st.integers(1, 600).map(lambda minutes: timedelta(minutes=minutes)),
)
COURSES = st.tuples(st.sampled_from([24, 4, 0, -4]), ABOUTS, st.integers(0, 200))
# How much time passes, who claims which messages (a bit each), how many calls end, and how the first of them ends.
STEPS = st.tuples(st.integers(0, 60), st.integers(0, 1023), st.integers(0, 3), st.booleans())


@given(
    caps=st.lists(CAPS, min_size=1, max_size=3),
    messages=st.lists(COURSES, min_size=1, max_size=10),
    steps=st.lists(STEPS, max_size=30),
)
@settings(max_examples=400, deadline=None)
def test_no_course_of_events_breaks_a_promise(
    caps: list[Cap], messages: list[tuple[int, About, int]], steps: list[tuple[int, int, int, bool]]
) -> None:
    world = World(caps, [Course(n, p, about, at, p == 24) for n, (p, about, at) in enumerate(messages)])
    for minutes, bits, ends, refused in steps:
        world.now += timedelta(minutes=minutes)
        world.claim({number for number in range(10) if bits >> number & 1})
        for number in range(ends):
            world.finish(refused and number == 0)
    for _ in range(2000):
        if not world.in_state("waiting", "seat"):
            break
        world.now = max(world.now, min((one.due for one in world.in_state("waiting", "seat")), default=world.now))
        world.claim(set(range(10)))
        world.finish(refused=False)
    assert not world.in_state("waiting", "seat"), "in the end everything is sent, dropped or has failed"
    for cap in caps:
        # What passes counts without being held: of the others never more than there is room for, at any moment.
        held = [
            one for one in world.in_state("sent") if cap.covers(one.about) and not (cap.spares_urgent and one.urgent)
        ]
        for last in held:
            within = [one for one in held if timedelta(0) <= last.sent_at - one.sent_at < cap.window]
            assert len(within) <= cap.most
