"""An account as Customer.io's libraries know one: a site id and an API key, and calls made with them."""

from __future__ import annotations

import base64
import json
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from django.test import Client

from events.models import Source, SourceKey
from tests.factories import make_key, make_source


@dataclass(frozen=True, slots=True)
class Account:
    source: Source
    key: str

    @classmethod
    def make(cls, kind: str = SourceKey.Kind.SECRET, *, is_sandbox: bool = False) -> Account:
        source = make_source()
        Source.objects.filter(pk=source.pk).update(is_sandbox=is_sandbox)
        return cls(source, make_key(source, kind))

    @property
    def authorization(self) -> str:
        return "Basic " + base64.b64encode(f"{self.source.site_id}:{self.key}".encode()).decode()

    def call(self, method: str, path: str, body: Any = None, **headers: str) -> Any:
        """Call an address below the host, as a library would."""
        content = body if isinstance(body, bytes) else b"" if body is None else json.dumps(body).encode()
        sent = {"Authorization": self.authorization, **headers}
        return Client().generic(method, path, content, content_type="application/json", headers=sent)

    def customer(self, method: str, identifier: str, rest: str = "", body: Any = None) -> Any:
        return self.call(method, f"/api/v1/customers/{quote(identifier, safe='')}{rest}", body)

    def identify(self, identifier: str, **attributes: Any) -> Any:
        return self.customer("PUT", identifier, "", attributes)

    def track(self, identifier: str, name: str, **fields: Any) -> Any:
        return self.customer("POST", identifier, "/events", {"name": name, **fields})

    def entity(self, **fields: Any) -> Any:
        return self.call("POST", "/api/v2/entity", fields)

    def batch(self, *items: Any) -> Any:
        return self.call("POST", "/api/v2/batch", {"batch": items})


def done(answer: Any) -> bool:
    return (answer.status_code, answer.json()) == (200, {})
