"""Shapes of what the APIs take and answer, as JSON Schema: for the OpenAPI document at ``/api/schema/``."""

from __future__ import annotations

from typing import Any

Schema = dict[str, Any]

TEXT: Schema = {"type": "string"}
ID: Schema = {"type": ["string", "integer", "number", "null"], "maxLength": 512}
WHOLE: Schema = {"type": "integer"}
FLAG: Schema = {"type": "boolean"}
OBJECT: Schema = {"type": "object", "additionalProperties": True}
TIME: Schema = {"type": "string", "format": "date-time"}


def fields(*required: str, **properties: Schema) -> Schema:
    """Return the schema of an object with these properties, those named first required, and possibly others."""
    schema: Schema = {"type": "object", "properties": properties}
    return {**schema, "required": list(required)} if required else schema


def maybe(schema: Schema) -> Schema:
    return {**schema, "type": [schema["type"], "null"]}


def listed(schema: Schema) -> Schema:
    return {"type": "array", "items": schema}


def pages(schema: Schema) -> Schema:
    """Return the schema of a page of a list; ``next`` is the address of the next one."""
    return fields("results", "next", results=listed(schema), next=maybe(TEXT))


ERROR = fields("code", "message", "field", code=TEXT, message=TEXT, field=TEXT)
SUCCESS = fields(
    "success", success=FLAG, rejected=listed({**ERROR, "description": "What was dropped."}), rejected_count=WHOLE
)

# What a call may say, by kind. All of it is optional for a parser that drops bad items alone; see "required".
COMMON: dict[str, Schema] = {
    "userId": ID,
    "anonymousId": ID,
    "messageId": {"type": ["string", "null"], "maxLength": 512},
    "timestamp": {"type": ["string", "null"], "format": "date-time"},
    "sentAt": {"type": ["string", "null"], "format": "date-time"},
    "context": maybe(OBJECT),
    "integrations": maybe(OBJECT),
    "writeKey": TEXT,
}
CALLS: dict[str, Schema] = {
    "identify": fields(traits=maybe(OBJECT), **COMMON),
    "track": fields("event", event={**TEXT, "maxLength": 512}, properties=maybe(OBJECT), **COMMON),
    "page": fields(name=maybe(TEXT), category=maybe(TEXT), properties=maybe(OBJECT), **COMMON),
    "screen": fields(name=maybe(TEXT), category=maybe(TEXT), properties=maybe(OBJECT), **COMMON),
    "group": fields("groupId", groupId=ID, traits=maybe(OBJECT), **COMMON),
    "alias": fields("userId", "previousId", previousId=ID, **COMMON),
}
BATCH = fields(
    "batch",
    batch=listed(
        {
            "oneOf": [
                {
                    **schema,
                    "properties": {**schema["properties"], "type": {"const": kind}},
                    "required": ["type", *schema.get("required", [])],
                }
                for kind, schema in CALLS.items()
            ]
        }
    ),
    sentAt=TIME,
    context=OBJECT,
    integrations=OBJECT,
    writeKey=TEXT,
)

PROFILE = fields(
    user_id=maybe(TEXT),
    traits=OBJECT,
    email=TEXT,
    phone=TEXT,
    time_zone=TEXT,
    language=TEXT,
    created_at=TIME,
    updated_at=TIME,
    last_seen_at=maybe(TIME),
)
ONE_PROFILE = {
    **PROFILE,
    "properties": {
        **PROFILE["properties"],
        "devices": listed(fields(id=TEXT, platform=TEXT)),
        "groups": listed(fields(type=TEXT, id=TEXT, traits=OBJECT)),
        "anonymous_ids": listed(TEXT),
    },
}
EVENT = fields(
    id=WHOLE,
    type=TEXT,
    name=TEXT,
    user_id=maybe(TEXT),
    properties=OBJECT,
    context=OBJECT,
    timestamp=TIME,
    received_at=TIME,
    message_id=TEXT,
    source=maybe(TEXT),
)
REQUEST = fields(
    id=WHOLE,
    received_at=TIME,
    source=maybe(TEXT),
    method=TEXT,
    path=TEXT,
    client=TEXT,
    status=WHOLE,
    answer=OBJECT,
    accepted=WHOLE,
    rejected=WHOLE,
    body=TEXT,
)
SOURCE = fields(
    id=WHOLE,
    site_id=TEXT,
    name=TEXT,
    kind=TEXT,
    enabled=FLAG,
    is_sandbox=FLAG,
    strict=FLAG,
    dedupe_content=FLAG,
    store_ip=FLAG,
    store_user_agent=FLAG,
    webhook_path=maybe(TEXT),
    created_at=TIME,
    last_event_at=maybe(TIME),
)
NEW_SOURCE = fields(
    "name",
    name={**TEXT, "maxLength": 100},
    kind={"enum": ["tracking", "webhook", "segment"]},
    enabled=FLAG,
    is_sandbox=FLAG,
    strict=FLAG,
    dedupe_content=FLAG,
    store_ip=FLAG,
    store_user_agent=FLAG,
)
KEY = fields(
    id=WHOLE,
    kind=TEXT,
    label=TEXT,
    beginning=TEXT,
    public_value=maybe(TEXT),
    allowed_origins=listed(TEXT),
    rate_limit=maybe(WHOLE),
    created_at=TIME,
    last_used_at=maybe(TIME),
    revoked_at=maybe(TIME),
)
NEW_KEY = fields(
    kind={"enum": ["public", "secret"]},
    label={**TEXT, "maxLength": 100},
    allowed_origins=listed(TEXT),
    rate_limit=maybe({**WHOLE, "minimum": 1, "maximum": 1_000_000}),
)
IMPORT = fields(
    id=WHOLE,
    source=WHOLE,
    kind=TEXT,
    format=TEXT,
    name=TEXT,
    triggers=FLAG,
    state=TEXT,
    error=TEXT,
    size=WHOLE,
    position=WHOLE,
    rows_done=WHOLE,
    rows_failed=WHOLE,
    rows_repeated=WHOLE,
    created_at=TIME,
    finished_at=maybe(TIME),
)
_SEGMENT: dict[str, Schema] = {
    "slug": TEXT,
    "name": TEXT,
    "description": TEXT,
    "kind": {"enum": ["dynamic", "manual"]},
    "condition": maybe(OBJECT),
    "state": {"enum": ["building", "live"]},
    "size": WHOLE,
    "changed_at": maybe(TIME),
    "changed_by": TEXT,
}
SEGMENT = fields("slug", **_SEGMENT)
WARNED_SEGMENT = fields(
    "slug",
    **_SEGMENT,
    warnings=listed(fields(path=TEXT, message=TEXT, nearest=TEXT)),
    used_by=listed(fields(kind=TEXT, name=TEXT, places=listed(TEXT))),
)
_WANTED: dict[str, Schema] = {
    "name": {**TEXT, "maxLength": 100},
    "description": TEXT,
    "condition": {**maybe(OBJECT), "description": "As docs/conditions.md tells; null for a list kept by hand."},
}
NEW_SEGMENT = fields(
    "slug",
    "name",
    slug={**TEXT, "maxLength": 60, "pattern": "^[a-z0-9][a-z0-9-]*$"},
    kind=_SEGMENT["kind"],
    **_WANTED,
)
CHANGED_SEGMENT = fields(**_WANTED)
_COMPUTED: dict[str, Schema] = {
    "description": TEXT,
    "function": {
        "enum": ["count", "sum", "min", "max", "average", "first", "last", "most_frequent", "last_values", "distinct"]
        + ["first_time", "last_time"]
    },
    "event_type": {"enum": ["track", "page", "screen"]},
    "event": TEXT,
    "properties": listed(TEXT),
    "where": maybe(OBJECT),
    "within": TEXT,
    "number": WHOLE,
}
NEW_COMPUTED = fields("name", "function", "event", name=TEXT, **_COMPUTED)
CHANGED_COMPUTED = fields(**_COMPUTED)
COMPUTED = fields(
    "name",
    name=TEXT,
    **_COMPUTED,
    sentence=TEXT,
    state={"enum": ["building", "live", "going"]},
    progress=WHOLE,
    used_by=listed(fields(kind=TEXT, name=TEXT, places=listed(TEXT))),
    created_by=TEXT,
    created_at=TIME,
)
MEMBER = fields(user_id=maybe(TEXT), email=TEXT, since=TIME)
LIST_CHANGE = fields(add=listed(TEXT), remove=listed(TEXT))
LIST_CHANGED = fields("added", "removed", "unknown", added=WHOLE, removed=WHOLE, unknown=listed(TEXT))
DELIVERY = fields(
    message_id=TEXT,
    status=TEXT,
    reason=TEXT,
    detail=TEXT,
    events=listed(fields(type=TEXT, event_id=TEXT, timestamp=TIME, reason=TEXT, description=TEXT, url=TEXT)),
)

ADVICE = maybe(fields("message", "suggestion", message=TEXT, suggestion=TEXT))
DEFINITION = fields(
    "name",
    name=TEXT,
    description=TEXT,
    expected=FLAG,
    schema_mode=TEXT,
    rename_to=TEXT,
    throttle_seconds=maybe(WHOLE),
    retention_days=maybe(WHOLE),
    has_schema=FLAG,
    first_seen_at=maybe(TIME),
    last_seen_at=maybe(TIME),
    volume_7d=WHOLE,
    violations_24h=WHOLE,
    property_count=WHOLE,
    advice=ADVICE,
)
PROPERTY = fields(
    path={**TEXT, "description": "Dotted."},
    types={**OBJECT, "description": "How many values were of each JSON type."},
    fill_rate={"type": "number", "minimum": 0, "maximum": 1},
    examples=listed(TEXT),
    last_seen_at=TIME,
)
ONE_DEFINITION = {
    **DEFINITION,
    "properties": {
        **DEFINITION["properties"],
        "schema": maybe(OBJECT),
        "suggested_schema": {**maybe(OBJECT), "description": "What all recent events kept to."},
        "volume": listed(fields(day={"type": "string", "format": "date"}, count=WHOLE)),
        "properties": listed(PROPERTY),
    },
}
NEW_DEFINITION = fields(
    "name",
    name={**TEXT, "minLength": 1, "maxLength": 512},
    description=TEXT,
    expected=FLAG,
    schema={**maybe(OBJECT), "description": "JSON Schema that the properties keep to."},
    schema_mode={"enum": ["off", "warn", "block"]},
    rename_to={**TEXT, "maxLength": 512, "description": "Store events of this name under that one."},
    throttle_seconds={**maybe(WHOLE), "minimum": 1, "maximum": 2**31 - 1},
    retention_days={**maybe(WHOLE), "minimum": 1, "maximum": 36_500},
)
CHANGED_DEFINITION = {
    **NEW_DEFINITION,
    "properties": {name: shape for name, shape in NEW_DEFINITION["properties"].items() if name != "name"},
    "required": [],
}
VIOLATION = fields(
    id=WHOLE,
    occurred_at=TIME,
    source=maybe(TEXT),
    name=TEXT,
    path=TEXT,
    message=TEXT,
    blocked=FLAG,
    sample=OBJECT,
)
AGES: Schema = {
    "type": "object",
    "additionalProperties": {"type": ["integer", "null"], "minimum": 1, "maximum": 36_500},
}
ACT = fields(
    id=WHOLE,
    at=TIME,
    actor=TEXT,
    action=TEXT,
    cio_id={**maybe(TEXT), "description": "The person; null for nobody in particular and for who was erased."},
    pseudonym={**maybe(TEXT), "description": "What stands for a person who was erased."},
    details=OBJECT,
)
