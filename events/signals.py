"""News from this room for the rooms on its left, which may connect to it; nothing here knows who listens.

``profiles_merged`` is sent inside the merging transaction with ``pairs``, a list of ``(loser_id, winner_id)``. A
receiver re-points its own rows before the losers are deleted.

``profiles_erased`` is sent inside the erasing transaction with ``profile_ids``, which it holds exclusively. A receiver
deletes whatever it has about these people, so that nothing is left and nothing more happens; sums stay as they are.

``profiles_exported`` is sent with ``profile_id``; a receiver returns an iterator of ``(section, JSON rows)``.

``profiles_weighed`` is sent with ``profile_id``; a receiver returns how much of what an erasure would delete, as
``(words, count)``.

``consent_said`` is sent inside a transaction with ``leaves``, by profile id whether an application says that a person
wants no marketing (True) or may be written to again (False). The people are held.

``preferences_said`` is sent likewise with ``topics``: by profile id what an application says of each topic, by the
topic's number (``topic_1``) or short name.

``delivery_reported`` is sent with ``report``, a ``deliveries.Report``; a receiver returns whether it knows the message.
"""

from django.dispatch import Signal

profiles_merged = Signal()
profiles_erased = Signal()
profiles_exported = Signal()
profiles_weighed = Signal()
consent_said = Signal()
preferences_said = Signal()
delivery_reported = Signal()
