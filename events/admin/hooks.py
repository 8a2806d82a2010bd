"""The page of a webhook source: its address and lock, the mapping with its try-out, what has come in last."""

from __future__ import annotations

import json
import re
import secrets
from collections.abc import Callable
from typing import Any

from django import forms
from django.conf import settings
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, render
from django.urls import URLPattern, path
from django.views.decorators.http import require_POST
from unfold.admin import ModelAdmin

from events import encryption, mapping
from events.admin import exchange, hook_trial, mapping_form
from events.models import InboundRequest, Source, SourceKey

LAST = 10
# A shorter address could be found by trying.
SECRET_SLUG = 16
EXAMPLE = '{"user_id": "12345", "product_id": "98765", "event": "add_to_cart"}'
_HEADER = re.compile(r"[A-Za-z0-9-]+")


class LockForm(forms.ModelForm):  # type: ignore[type-arg]
    """Where a hook is called, and how its callers prove who they are."""

    secret = forms.CharField(required=False, max_length=500, strip=True)

    class Meta:
        model = Source
        fields = ("slug", "lock", "signature_header", "signature_digest")

    def clean_slug(self) -> str:
        slug: str = self.cleaned_data["slug"] or ""
        if not slug:
            raise forms.ValidationError("A hook needs an address.")
        return slug

    def clean_signature_header(self) -> str:
        name: str = self.cleaned_data["signature_header"]
        if not _HEADER.fullmatch(name):
            raise forms.ValidationError("A header's name has letters, digits and hyphens, such as X-Signature.")
        return name

    def clean(self) -> None:
        super().clean()
        lock, slug = self.cleaned_data.get("lock"), self.cleaned_data.get("slug")
        if lock == Source.Lock.ADDRESS and slug and len(slug) < SECRET_SLUG:
            self.add_error("slug", f"As a secret it needs {SECRET_SLUG} characters or more. Or choose another lock.")
        if lock == Source.Lock.SIGNATURE and not (self.cleaned_data.get("secret") or self.instance.signing_secret):
            self.add_error("secret", "Enter the secret that the sender signs with.")

    def keep(self) -> None:
        """Store what was entered; an empty secret leaves the stored one as it is."""
        if secret := self.cleaned_data["secret"]:
            self.instance.signing_secret = encryption.encrypt(secret)
        self.instance.save(update_fields=[*self.Meta.fields, "signing_secret"])


def prepare(source: Source) -> None:
    """Give a new hook its address, and a Segment hook Segment's way of signing. Does not save."""
    if source.kind == Source.Kind.TRACKING:
        return
    source.slug = new_slug()
    if source.kind == Source.Kind.SEGMENT:
        source.signature_digest = Source.Digest.SHA1


def new_slug() -> str:
    """Make the last part of an address that nobody guesses."""
    return secrets.token_urlsafe(18)


def urls(admin: ModelAdmin) -> list[URLPattern]:
    """Return the addresses of a hook's page, below those of its source."""

    def at(name: str, view: Callable[[HttpRequest, Source], HttpResponse], change: bool) -> URLPattern:
        def checked(request: HttpRequest, pk: int) -> HttpResponse:
            allowed = admin.has_change_permission if change else admin.has_view_permission
            if not allowed(request):
                raise PermissionDenied
            hooks = Source.objects.exclude(kind=Source.Kind.TRACKING)
            return view(request, get_object_or_404(hooks, pk=pk))

        wrapped: Callable[..., HttpResponse] = admin.admin_site.admin_view(checked)
        return path(f"<int:pk>/hook/{name}/", wrapped, name=f"events_hook_{name}")

    return [
        at("lock", change_lock, True),
        at("mapping", change_mapping, True),
        at("try", try_out, False),
        at("payloads", show_payloads, False),
        at("payload", show_payload, False),
    ]


def page_context(request: HttpRequest, source: Source) -> dict[str, Any]:
    """Return what a hook's part of its source's page shows."""
    if source.kind == Source.Kind.TRACKING:
        return {}
    calls = last_calls(source)
    tried = _chosen(request, source) or next((call for call in calls if call.body), None)
    return {
        **lock_context(source, LockForm(instance=source)),
        **_mapping_context(source, mapping_form.rows(source.mapping or mapping.DEFAULT), tried),
        **payloads_context(source, calls),
    }


def lock_context(source: Source, form: LockForm) -> dict[str, Any]:
    address = f"{settings.BASE_URL}/hooks/{source.slug}/"
    return {"source": source, "lock_form": form, "address": address, "curl": curl(source, address)}


def curl(source: Source, address: str) -> str:
    """Return a command that sends an example as the lock wants it; what is secret has to be filled in."""
    post = f'curl {address} -H "Content-Type: application/json"'
    if source.lock == Source.Lock.KEY:
        key = source.keys.filter(kind=SourceKey.Kind.PUBLIC, revoked_at=None).order_by("pk").first()
        return f"{post} \\\n  -u \"{key.public_value if key else 'YOUR_SECRET_KEY'}:\" -d '{EXAMPLE}'\n"
    if source.lock == Source.Lock.SIGNATURE:
        signed = f'printf %s "$body" | openssl dgst -{source.signature_digest} -hmac "YOUR_SIGNING_SECRET" -r'
        header = f'-H "{source.signature_header}: $({signed} | cut -d " " -f 1)"'
        return f"body='{EXAMPLE}'\n{post} \\\n  {header} \\\n  -d \"$body\"\n"
    return f"{post} \\\n  -d '{EXAMPLE}'\n"


def payloads_context(source: Source, calls: list[InboundRequest]) -> dict[str, Any]:
    told = [(call, exchange.reason(call)) for call in calls]
    return {"source": source, "last_calls": told, "seen": calls[0].pk if calls else 0}


def last_calls(source: Source) -> list[InboundRequest]:
    """Return the newest kept calls of a hook."""
    return list(_calls(source).order_by("-pk")[:LAST])


def _calls(source: Source) -> QuerySet[InboundRequest]:
    return InboundRequest.objects.filter(source=source, path__startswith="/hooks/")


@require_POST
def change_lock(request: HttpRequest, source: Source) -> HttpResponse:
    """Store the lock; or propose a new address, which counts when it is saved."""
    if request.POST.get("action") == "new-address":
        data = request.POST.copy()
        data["slug"] = new_slug()
        return render(request, "admin/events/hook/lock.html", lock_context(source, LockForm(data, instance=source)))
    form = LockForm(request.POST, instance=source)
    saved = form.is_valid()
    if saved:
        form.keep()
        form = LockForm(instance=source)
    stored = Source.objects.get(pk=source.pk)
    return render(request, "admin/events/hook/lock.html", {**lock_context(stored, form), "saved": saved})


@require_POST
def change_mapping(request: HttpRequest, source: Source) -> HttpResponse:
    """Do what a button of the mapping asks. Only *save* stores, and only a mapping without a mistake."""
    calls = mapping_form.posted(request.POST)
    action = request.POST.get("action", "")
    said = ""
    if action == "use-json":
        calls, said = _from_json(request.POST.get("json", ""), calls)
    mapping_form.act(calls, action)
    if action == "default":
        calls = mapping_form.rows(mapping.DEFAULT)
    if action == "save":
        said = _save(source, calls)
    context = _mapping_context(source, calls, _chosen(request, source), request.POST.get("payload"))
    return render(request, "admin/events/hook/mapping.html", {**context, "said": said, "action": action})


def _save(source: Source, calls: list[mapping_form.Call]) -> str:
    tree = mapping_form.tree(calls)
    if hook_trial.problems(calls):
        return "Not saved: mend what is marked first."
    source.mapping = {} if tree == mapping.DEFAULT else tree
    source.save(update_fields=["mapping"])
    return "Saved. The next call is mapped like this."


def _from_json(text: str, calls: list[mapping_form.Call]) -> tuple[list[mapping_form.Call], str]:
    try:
        tree = json.loads(text)
    except (ValueError, RecursionError) as error:
        return calls, f"This is not JSON: {error}."
    taken = mapping_form.rows(tree)
    return (taken, "") if taken else (calls, 'The JSON needs a list of calls: {"calls": [ … ]}.')


@require_POST
def try_out(request: HttpRequest, source: Source) -> HttpResponse:
    """Show what the payload in the form would become by the mapping in the form. Stores nothing."""
    calls = mapping_form.posted(request.POST)
    chosen = _chosen(request, source)
    trial = hook_trial.run(calls, request.POST.get("payload", ""), chosen.headers if chosen else {})
    return render(request, "admin/events/hook/trial.html", {"source": source, "trial": trial, "is_update": True})


def show_payloads(request: HttpRequest, source: Source) -> HttpResponse:
    """Return the list of the last payloads anew; 204 when it is the one that ``?seen=`` names."""
    context = payloads_context(source, last_calls(source))
    if request.GET.get("seen") == str(context["seen"]):
        return HttpResponse(status=204)
    return render(request, "admin/events/hook/payloads.html", context)


def show_payload(request: HttpRequest, source: Source) -> HttpResponse:
    """Put one of the last payloads into the try-out."""
    chosen = _chosen(request, source)
    context = {"source": source, "payload": exchange.readable(chosen.body) if chosen else "", "chosen": chosen}
    response = render(request, "admin/events/hook/payload.html", context)
    response["HX-Trigger-After-Settle"] = "hook-payload"
    return response


def _chosen(request: HttpRequest, source: Source) -> InboundRequest | None:
    """Return the kept call whose payload is tried."""
    number = str((request.POST or request.GET).get("call") or "")
    known = number.isascii() and number.isdigit() and len(number) < 19
    return _calls(source).filter(pk=int(number)).first() if known else None


def _mapping_context(
    source: Source, calls: list[mapping_form.Call], chosen: InboundRequest | None, payload: str | None = None
) -> dict[str, Any]:
    if payload is None:
        payload = exchange.readable(chosen.body if chosen else EXAMPLE)
    trial = hook_trial.run(calls, payload, chosen.headers if chosen else {})
    return {
        "source": source,
        "calls": [_fields(number, call, trial) for number, call in enumerate(calls)],
        "calls_note": trial.notes["hook-calls"],
        "tests": mapping_form.TESTS.items(),
        "json": json.dumps(mapping_form.tree(calls), indent=2, ensure_ascii=False),
        "payload": payload,
        "chosen": chosen,
        "trial": trial,
    }


def _fields(number: int, call: mapping_form.Call, trial: hook_trial.Trial) -> dict[str, Any]:
    """Return the fields of one call, each with what stands below it."""

    def note(name: str) -> hook_trial.Note:
        return trial.notes[mapping_form.slot(number, name)]

    places: list[dict[str, Any]] = [
        {**place, "value": call.places.get(place["name"], ""), "note": note(place["name"])} for place in PLACES
    ]
    words = [(word, trial.notes[mapping_form.word_slot(number, index)]) for index, word in enumerate(call.words)]
    below = {name: note(name) for name in ("type", "everything", "words", "only_when")}
    needed, more = places[:2], places[2:]
    return {
        "number": number,
        "call": call,
        "needed": needed,
        "more": more,
        "is_more_open": any(place["note"].is_bad or place["value"] not in USUAL for place in more),
        "words": words,
        "below": below,
    }


# Who and what first; the others are needed now and then.
PLACES = [
    {"name": "user_id", "label": "Who: the person’s id", "example": "$.user_id"},
    {"name": "event", "label": "What happened: the event’s name", "example": "$.event, or Order Completed"},
    {"name": "anonymous_id", "label": "A visitor’s id, where there is no person’s", "example": "$.anonymous_id"},
    {"name": "timestamp", "label": "When; empty: when it came in", "example": "$.created_at"},
    {"name": "message_id", "label": "Id of the message; a repeated one counts once", "example": "$.delivery_id"},
]
USUAL = ("", *(mapping.DEFAULT["calls"][0].get(place["name"]) for place in PLACES))
