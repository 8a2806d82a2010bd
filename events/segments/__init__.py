"""Live segments: who is in which, kept current by what comes in and by time.

``membership`` asks about the people an event is about, ``turning`` about those whose time has come, ``building`` about
everybody once a condition is new. All of them write by ``changes``: rows, hourly figures, and ``Segment Entered`` and
``Segment Left`` in the log, where campaigns and other segments hear of it. Whoever asks about a person holds them,
as a claim does, so that of two answers the later one counts.
"""
