"""Settings, URLs, the Celery application, health and the embedded runner."""

from config.celery import app as celery_app

__all__ = ["celery_app"]
