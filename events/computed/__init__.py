"""Computed traits: reckoned from what somebody did, and read like any other trait.

``definitions`` says what is to be reckoned, ``values`` turns that into SQL by the compiler of conditions, ``writing``
asks for people whom the caller holds and puts the answers among their traits. It is called for those an event is about
(``following``), for those whose time has come (``turning``) and for everybody once a definition is new (``building``).
The log alone is the truth: nothing is added up as events come, so late events, merges and repetitions need no care.
"""
