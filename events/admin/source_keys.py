"""The keys on a source's page: make, replace, bind and revoke them; and the code to copy, with a key filled in."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from django import forms
from django.conf import settings
from django.contrib.admin.models import CHANGE, LogEntry
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, render
from django.urls import URLPattern, path
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_POST
from unfold.admin import ModelAdmin

from events import keys
from events.admin import recipes
from events.models import Source, SourceKey, hash_key

PLACEHOLDERS = {SourceKey.Kind.PUBLIC: recipes.NO_PUBLIC_KEY, SourceKey.Kind.SECRET: recipes.NO_SECRET_KEY}


class KeyForm(forms.Form):
    """What a new key is for."""

    kind = forms.ChoiceField(choices=SourceKey.Kind.choices)
    label = forms.CharField(max_length=100, required=False)


class BoundsForm(forms.Form):
    """From which pages and how often a key may be used. ``origins`` has one origin a line."""

    origins = forms.CharField(required=False, max_length=20_000)
    rate_limit = forms.IntegerField(required=False, min_value=1, max_value=1_000_000)

    def clean_origins(self) -> list[str]:
        try:
            return [keys.origin(line) for line in self.cleaned_data["origins"].split()]
        except ValueError as error:
            raise forms.ValidationError(str(error)) from None


@dataclass(frozen=True, slots=True)
class Fresh:
    """A key whose text is still known: the page that made it hands it back until it is left."""

    key: SourceKey
    text: str


def urls(admin: ModelAdmin) -> list[URLPattern]:
    """Return the addresses that a source's keys have, below the one of their source."""

    def at(route: str, name: str, view: Callable[..., HttpResponse], change: bool = True) -> URLPattern:
        def checked(request: HttpRequest, pk: int, **more: Any) -> HttpResponse:
            allowed = admin.has_change_permission if change else admin.has_view_permission
            if not allowed(request):
                raise PermissionDenied
            return view(request, get_object_or_404(Source, pk=pk), **more)

        guarded = never_cache(require_POST(checked))
        wrapped: Callable[..., HttpResponse] = admin.admin_site.admin_view(guarded)
        return path(f"<int:pk>/{route}", wrapped, name=f"events_source_{name}")

    return [
        at("keys/", "new_key", new_key),
        at("keys/<int:key>/rotate/", "rotate_key", rotate),
        at("keys/<int:key>/revoke/", "revoke_key", revoke),
        at("keys/<int:key>/bounds/", "bind_key", bind),
        at("recipe/", "recipe", show_recipe, change=False),
    ]


def new_key(request: HttpRequest, source: Source) -> HttpResponse:
    """Make a key and show it. A secret one is in this answer and nowhere else."""
    form = KeyForm(request.POST)
    if not form.is_valid():
        return _listed(request, source)
    fresh = Fresh(*keys.make(source, form.cleaned_data["kind"], form.cleaned_data["label"]))
    _note(request, source, "Made", fresh.key)
    return _listed(request, source, fresh)


def rotate(request: HttpRequest, source: Source, key: int) -> HttpResponse:
    """Make a key to take the place of another, which stays in use until it is revoked."""
    old = source.keys.filter(pk=key, revoked_at=None).first()
    fresh = Fresh(*keys.successor(old)) if old else None
    if old:
        _note(request, source, "Rotated", old)
    return _listed(request, source, fresh, replaced=old)


def revoke(request: HttpRequest, source: Source, key: int) -> HttpResponse:
    if found := source.keys.filter(pk=key, revoked_at=None).first():
        keys.revoke(found)
        _note(request, source, "Revoked", found)
    return _listed(request, source)


def bind(request: HttpRequest, source: Source, key: int) -> HttpResponse:
    """Change from where and how often a key may be used; or say what is wrong, beside what was entered."""
    found = get_object_or_404(source.keys.filter(revoked_at=None), pk=key)
    form = BoundsForm(request.POST)
    if not form.is_valid():
        return _listed(request, source, wrong={"key": found.pk, "form": form})
    keys.bind(found, form.cleaned_data["origins"], form.cleaned_data["rate_limit"])
    _note(request, source, "Changed pages and rate of", found)
    return _listed(request, source, bound=found)


def show_recipe(request: HttpRequest, source: Source) -> HttpResponse:
    """Show the code for the client and with the key that were chosen."""
    chosen, text = _posted_key(request, source)
    context = recipe_context(source, request.POST.get("client", ""), chosen, text)
    return render(request, "admin/events/source_recipe.html", context)


def keys_context(source: Source, may_change: bool) -> dict[str, Any]:
    found = sorted(source.keys.all(), key=lambda key: (key.revoked_at is not None, key.pk))
    return {"source": source, "keys": found, "kinds": SourceKey.Kind.choices, "may_change": may_change}


def recipes_context(source: Source, slug: str = "", fresh: Fresh | None = None) -> dict[str, Any]:
    """Return the choice of clients and keys, and the code for one of each: a new key, else the first public one."""
    live = [key for key in source.keys.order_by("pk") if key.revoked_at is None]
    public = next((key for key in live if key.kind == SourceKey.Kind.PUBLIC), None)
    chosen = fresh.key if fresh else public or next(iter(live), None)
    shown = recipe_context(source, slug, chosen, fresh.text if fresh else "")
    return {**shown, "clients": recipes.groups().items(), "live_keys": live, "chosen": chosen, "fresh": fresh}


def recipe_context(source: Source, slug: str, key: SourceKey | None, text: str = "") -> dict[str, Any]:
    """Return a recipe with a key in it. ``text`` is that of ``key``, where it is known."""
    in_browser = recipes.of(slug).in_browser
    if in_browser and (key is None or key.kind == SourceKey.Kind.SECRET):
        key = source.keys.filter(kind=SourceKey.Kind.PUBLIC, revoked_at=None).order_by("pk").first()
        text = ""
    kind = key.kind if key else SourceKey.Kind.PUBLIC if in_browser else SourceKey.Kind.SECRET
    text = text or (key.public_value if key else "")
    recipe = recipes.filled(slug, settings.BASE_URL, source.site_id, text or PLACEHOLDERS[SourceKey.Kind(kind)])
    return {
        "source": source,
        "recipe": recipe,
        "placeholder": "" if text else PLACEHOLDERS[SourceKey.Kind(kind)],
        "wants_secret": kind == SourceKey.Kind.PUBLIC and not in_browser,
    }


def _posted_key(request: HttpRequest, source: Source) -> tuple[SourceKey | None, str]:
    """Return the chosen key, and its text if the page that made it still has it."""
    number, text = request.POST.get("key", ""), request.POST.get("fresh", "")
    known = number.isascii() and number.isdigit() and len(number) < 19
    key = source.keys.filter(pk=int(number), revoked_at=None).first() if known else None
    return key, text if key and text and hash_key(text) == key.key_hash else ""


def _note(request: HttpRequest, source: Source, act: str, key: SourceKey) -> None:
    """Write into the source's history who did what to a key."""
    said = f"{act} the {key.kind} key {key.label or 'without a name'} ({key.beginning}…)."
    user = request.user.pk
    assert user is not None, "the admin lets nobody else in"
    LogEntry.objects.log_actions(user, [source], CHANGE, said, single_object=True)


def _listed(request: HttpRequest, source: Source, fresh: Fresh | None = None, **more: Any) -> HttpResponse:
    """Show the keys anew, and with them the code that names one."""
    choice = recipes_context(source, request.POST.get("client", ""), fresh)
    context = {**keys_context(source, may_change=True), **choice, "is_update": True, **more}
    return render(request, "admin/events/source_keys.html", context)
