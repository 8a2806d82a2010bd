from django.urls import URLPattern, path

from messaging import public, public_pages

app_name = "messaging"
urlpatterns: list[URLPattern] = [
    path("u/<str:token>", public_pages.unsubscribe, name="unsubscribe"),
    path("p/<str:token>", public_pages.preferences, name="preferences"),
    path("d/<str:token>", public_pages.confirm, name="confirm"),
    path("o/<str:token>.gif", public.opened, name="opened"),
    path("v/<str:token>", public.view, name="view"),
    path("c/<str:token>", public.clicked, name="clicked"),
]
