"""The management API: read people, events, the tracking plan and sources back, and look after them.

Everything is behind a bearer token whose scopes say what it may do (``events.api.scopes``); lists are
``{"results", "next"}``, ``next`` the address of the next page.
"""
