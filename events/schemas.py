"""JSON Schemas of events' properties: say what is wrong with one, and hold properties against it. No database.

Nothing is ever fetched: a ``$ref`` leads to another place of the same schema, or to a standard's own. Patterns are run
by an engine whose time grows with the text alone. What an event's value was is not in any message.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from itertools import islice
from typing import Any

import jsonschema_rs

VALUE = "the value"
# Of one event so many mistakes are told; a list of a thousand bad entries needs no thousand lines.
MAX_FLAWS = 5
MAX_SCHEMA = 64 * 1024


class SchemaError(ValueError):
    """Raised for a schema that cannot be used. The message says what to do."""


@dataclass(frozen=True, slots=True)
class Flaw:
    """Where properties do not keep to a schema (dotted, places in lists by number) and what is wrong there."""

    path: str
    message: str


class Schema:
    """A schema made ready for use. Raises SchemaError."""

    def __init__(self, schema: Any) -> None:
        self._check = _compiled(schema)

    def flaws(self, properties: bytes) -> list[Flaw]:
        """Return what is wrong with a JSON object's properties, the first few."""
        value = json.loads(properties)
        if self._check.is_valid(value):
            return []
        return [_flaw(error) for error in islice(self._check.iter_errors(value), MAX_FLAWS)]


def _compiled(schema: Any) -> jsonschema_rs.Validator:
    if not isinstance(schema, dict):
        raise SchemaError('A schema is a JSON object, such as {"required": ["price"]}.')
    patterns = jsonschema_rs.RegexOptions()
    options = {"offline": True, "mask": VALUE, "pattern_options": patterns, "validate_formats": True}
    try:
        if len(json.dumps(schema)) > MAX_SCHEMA:
            raise SchemaError(f"A schema may have {MAX_SCHEMA // 1024} KB.")
        return jsonschema_rs.validator_for(schema, **options)  # type: ignore[arg-type]
    except jsonschema_rs.ValidationError as error:
        place = ".".join(map(str, error.instance_path))
        raise SchemaError(f"The schema cannot be used{f' at {place}' if place else ''}: {error.message}.") from None
    except SchemaError:
        raise
    except RecursionError:
        raise SchemaError("The schema is nested too deeply.") from None
    except (ValueError, TypeError, jsonschema_rs.ReferencingError) as error:
        raise SchemaError(f"The schema cannot be used: {error}.") from None


def _flaw(error: jsonschema_rs.ValidationError) -> Flaw:
    """Name the property itself where the schema's complaint is about the object that it stands in."""
    path = [str(part) for part in error.instance_path]
    kind = error.kind
    if isinstance(kind, jsonschema_rs.ValidationErrorKind.Required):
        path.append(str(kind.property))
    elif isinstance(kind, jsonschema_rs.ValidationErrorKind.AdditionalProperties):
        path.append(str(kind.unexpected[0]))
    return Flaw(".".join(path)[:500], error.message[:500])
