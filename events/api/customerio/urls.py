"""The addresses of Customer.io's Track API below ``/api/``."""

from django.urls import URLPattern

from events.api.customerio import v1, v2

urlpatterns: list[URLPattern] = [*v1.urlpatterns, *v2.urlpatterns]
