"""The map of addresses."""

from __future__ import annotations

from django.conf import settings
from django.contrib import admin
from django.urls import include, path, re_path
from django.views.generic import RedirectView
from drf_spectacular.views import SpectacularAPIView, SpectacularSwaggerView

from config.health import healthz
from config.metrics import metrics
from events.api.customerio.v1 import CredentialsView

urlpatterns = [
    path("", RedirectView.as_view(pattern_name="admin:index")),
    path("healthz", healthz, name="healthz"),
    path("metrics", metrics, name="metrics"),
    path("admin/", admin.site.urls),
    path("", include("events.api.browser_settings")),
    path("", include("events.api.pixel")),
    path("cdp/", include("events.api.cdp")),
    path("", include("messaging.in_app_api")),
    path("v1/", include("events.api.segment")),
    path("api/v1/manage/", include("campaigns.trust_api")),
    path("api/v1/manage/", include("events.api.manage.urls")),
    path("api/schema/", SpectacularAPIView.as_view(), name="api-schema"),
    path("api/docs/", SpectacularSwaggerView.as_view(url_name="api-schema"), name="api-docs"),
    path("hooks/", include("events.api.hooks")),
    path("api/v1/manage/", include("messaging.api")),
    path("api/v1/campaigns/", include("campaigns.api")),
    path("api/v1/", include("messaging.send_api")),
    path("api/", include("events.api.customerio.urls")),
    re_path(r"^auth/?\Z", CredentialsView.as_view(), name="cio-auth"),
    path("", include("messaging.reported")),
    path("m/", include("messaging.urls")),
    path("webhooks/anymail/", include("messaging.webhooks")),
    path("webhooks/twilio/", include("messaging.twilio")),
]
if settings.DEMO:
    urlpatterns.append(path("demo/", include("campaigns.demo.urls")))

handler400 = "config.errors.bad_request"
handler404 = "config.errors.not_found"
handler500 = "config.errors.server_error"
