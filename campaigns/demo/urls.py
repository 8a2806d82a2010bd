"""Addresses of the demo, below /demo/."""

from django.urls import path

from campaigns.demo import shop

app_name = "demo"
urlpatterns = [
    path("", shop.shop, name="shop"),
    path("test-person/", shop.test_person, name="test_person"),
]
