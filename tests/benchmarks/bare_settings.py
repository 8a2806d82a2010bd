"""What a bare view needs: our settings, its own URL conf, and the one middleware that tells the length of an answer."""

from __future__ import annotations

from config.settings import *  # noqa: F403

ROOT_URLCONF = "tests.benchmarks.bare_urls"
MIDDLEWARE = ["django.middleware.common.CommonMiddleware"]
