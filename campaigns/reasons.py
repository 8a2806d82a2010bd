"""Why someone did or did not enter, wait or leave: every recorded reason in a marketer's words. Pure."""

from __future__ import annotations

from enum import StrEnum


class Entry(StrEnum):
    """What became of one event at one campaign that listens for it."""

    ENTERED = "entered"
    FILTERED = "filtered"
    ALREADY_IN = "already_in"
    NOT_AGAIN = "not_again"
    TOO_SOON = "too_soon"
    TOO_OLD = "too_old"
    TOO_LATE = "too_late"
    WAITING = "waiting"
    PARKED = "parked"
    DROPPED = "dropped"
    QUIET = "quiet"
    REPLACED = "replaced"
    HELD_OUT = "held_out"
    HELD_OUT_OF_ALL = "held_out_of_all"
    NOT_ROLLED_OUT = "not_rolled_out"

    @property
    def label(self) -> str:
        return ENTRY_LABELS[self]

    @property
    def advice(self) -> str:
        """Say what to do about it, if somebody should have entered."""
        return ENTRY_ADVICE[self]

    @classmethod
    def choices(cls) -> list[tuple[str, str]]:
        return [(entry.value, ENTRY_LABELS[entry]) for entry in cls]


ENTRY_LABELS: dict[Entry, str] = {
    Entry.ENTERED: "Entered the campaign",
    Entry.FILTERED: "The trigger's conditions were not met",
    Entry.ALREADY_IN: "Was in the campaign already",
    Entry.NOT_AGAIN: "Had been in the campaign before, and it lets everybody in only once",
    Entry.TOO_SOON: "Had entered too short a time ago",
    Entry.TOO_OLD: "The event was too old to answer: it counts as history",
    Entry.TOO_LATE: "The date had come more than a day before anybody could look, while the campaign was paused, say",
    Entry.PARKED: "Looking at it failed: it is parked, and can be tried again",
    Entry.DROPPED: "Looking at it had failed, and it was given up by hand",
    Entry.QUIET: "Waits until it is quiet: until no such event has come for a while",
    Entry.REPLACED: "A later event took its place",
    Entry.HELD_OUT: "Is in the campaign’s control group: gets nothing, and is measured",
    Entry.HELD_OUT_OF_ALL: "Is in the control group of all campaigns: gets nothing, and is measured",
    Entry.NOT_ROLLED_OUT: "Is not among those to whom the campaign is rolled out so far",
    Entry.WAITING: "Waits for something that is not known of the person yet",
}


ENTRY_ADVICE: dict[Entry, str] = {
    Entry.ENTERED: "Nothing to do: see how the journey went.",
    Entry.FILTERED: "Change what the event says, what is known of the person, or the trigger’s conditions.",
    Entry.ALREADY_IN: "Nothing to do, or allow several journeys of one person under Workflow, How often.",
    Entry.NOT_AGAIN: "Try it with another person, or change under Workflow how often one may enter.",
    Entry.TOO_SOON: "Try it with another person, or change under Workflow how often one may enter.",
    Entry.TOO_OLD: "Send the event with the present time, or let the trigger take older events.",
    Entry.TOO_LATE: "Nothing to do: their next date starts the campaign again.",
    Entry.PARKED: "Mend the cause, then let it try again under Parked by campaigns.",
    Entry.DROPPED: "Send the event again, if it still matters.",
    Entry.QUIET: "Nothing to do: it enters by itself when it has been quiet.",
    Entry.REPLACED: "Nothing to do: look at the later event.",
    Entry.HELD_OUT: "Nothing to do: whoever is in a control group stays in it. Its size is chosen under Roll-out.",
    Entry.HELD_OUT_OF_ALL: "Nothing to do, or leave the campaign out of the control group of all under Roll-out.",
    Entry.NOT_ROLLED_OUT: "Go on to the next stage under Roll-out. Who was turned away may come again then.",
    Entry.WAITING: "Report the missing traits with an identify call: the event is then looked at again.",
}


class Outcome(StrEnum):
    """How a visit to a step ended."""

    DONE = "done"
    WAITED = "waited"
    SKIPPED_BY_HAND = "skipped_by_hand"
    PATH = "path"
    SENT = "sent"
    ANSWERED = "answered"
    CALL_FAILED = "call_failed"
    WENT_BACK = "went_back"
    FAILED = "failed"
    INTERRUPTED = "interrupted"
    MOVED = "moved"

    @property
    def label(self) -> str:
        return OUTCOME_LABELS[self]

    @classmethod
    def choices(cls) -> list[tuple[str, str]]:
        return [(outcome.value, OUTCOME_LABELS[outcome]) for outcome in cls]


OUTCOME_LABELS: dict[Outcome, str] = {
    Outcome.DONE: "Passed",
    Outcome.WAITED: "Waited until the time had come",
    Outcome.SKIPPED_BY_HAND: "Wait skipped by hand",
    Outcome.PATH: "Took a path",
    Outcome.SENT: "Message handed to the outbox",
    Outcome.ANSWERED: "Called, and got an answer",
    Outcome.CALL_FAILED: "Called without success",
    Outcome.WENT_BACK: "Went back to an earlier step",
    Outcome.FAILED: "Not done, because of a mistake in it",
    Outcome.INTERRUPTED: "Left early: the journey ended here",
    Outcome.MOVED: "Taken to another version of the campaign",
}


class Ending(StrEnum):
    """Why a journey is over."""

    COMPLETED = "completed"
    GOAL = "goal"
    EXIT_STEP = "exit_step"
    STOPPED = "stopped"
    MERGED = "merged"
    HELD_OUT = "held_out"
    EVENT = "exit_event"
    CONDITION = "exit_condition"
    UNSUBSCRIBED = "unsubscribed"
    UNMATCHED = "unmatched"

    @property
    def label(self) -> str:
        return ENDING_LABELS[self]

    @classmethod
    def choices(cls) -> list[tuple[str, str]]:
        return [(ending.value, ENDING_LABELS[ending]) for ending in cls]


ENDING_LABELS: dict[Ending, str] = {
    Ending.COMPLETED: "Went through every step",
    Ending.GOAL: "Reached the goal",
    Ending.EXIT_STEP: "Came to an exit step",
    Ending.STOPPED: "Stopped by hand",
    Ending.EVENT: "Left early: an event came that ends it",
    Ending.CONDITION: "Left early: something came true that ends it",
    Ending.UNSUBSCRIBED: "Left early: has unsubscribed",
    Ending.UNMATCHED: "Left early: no longer meets the conditions to enter",
    Ending.MERGED: "Two profiles turned out to be one person, who is not to get this twice",
    Ending.HELD_OUT: "In the control group: got nothing, and is measured",
}
