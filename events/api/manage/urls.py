"""The addresses of the management API, below ``/api/v1/manage/``."""

from __future__ import annotations

from django.urls import URLPattern

from events.api.manage import catalogue, computed, log, privacy, profiles, segments, sources, transfers

# Profiles last: a user id may hold anything, slashes included.
urlpatterns: list[URLPattern] = [
    *log.urlpatterns,
    *catalogue.urlpatterns,
    *sources.urlpatterns,
    *transfers.urlpatterns,
    *segments.urlpatterns,
    *computed.urlpatterns,
    *privacy.urlpatterns,
    *profiles.urlpatterns,
]
