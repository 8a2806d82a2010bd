from django.urls import URLPattern, path

from messaging import public

app_name = "messaging"
urlpatterns: list[URLPattern] = [
    path("u/<str:token>", public.unsubscribe, name="unsubscribe"),
    path("o/<str:token>.gif", public.opened, name="opened"),
    path("v/<str:token>", public.view, name="view"),
    path("c/<str:token>", public.clicked, name="clicked"),
]
