"""News from this room for the rooms on its left, which may connect to it; nothing here knows who listens.

``profiles_merged`` is sent inside the merging transaction with ``pairs``, a list of ``(loser_id, winner_id)``. A
receiver re-points its own rows before the losers are deleted.
"""

from django.dispatch import Signal

profiles_merged = Signal()
