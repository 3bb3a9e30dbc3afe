"""What the registry answers to each question, as values for JSON. Pure.

Codes and texts are those of Confluent's registry, which its clients look at.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from tailrace.console.schema_view.subjects import subjects_of
from tailrace.schemas.errors import TailraceError

if TYPE_CHECKING:
    from tailrace.console.schema_view.subjects import Subjects
    from tailrace.schemas.catalog import Schema
    from tailrace.schemas.schema_book import SchemaBook

COMPATIBILITY = "FULL_TRANSITIVE"
MODE = "READONLY"
_MAX_VERSION = 2**31 - 1
_MAX_ID_DIGITS = 10


class RegistryError(TailraceError):
    """An answer that is an error: the HTTP status is the code's first three digits."""

    def __init__(self, code: int, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.status = int(str(code)[:3])


class Registry:
    """Answers from a book of schemas, which may go on learning meanwhile."""

    def __init__(self, book: SchemaBook, prefix: str | None = None) -> None:
        """Answer from the book; subjects begin with the prefix, by default the configured one."""
        self._book = book
        self._prefix = prefix

    def types(self) -> list[str]:
        """Answer `GET /schemas/types`."""
        return ["AVRO"]

    def config(self, subject: str = "") -> dict[str, Any]:  # noqa: ARG002 - the same for every subject
        """Answer `GET /config` and `GET /config/{subject}`."""
        return {"compatibilityLevel": COMPATIBILITY}

    def mode(self, subject: str = "") -> dict[str, Any]:  # noqa: ARG002 - the same for every subject
        """Answer `GET /mode` and `GET /mode/{subject}`."""
        return {"mode": MODE}

    def schema(self, schema_id: str) -> dict[str, Any]:
        """Answer `GET /schemas/ids/{id}`; a missing `schemaType` means Avro."""
        return {"schema": self._by_id(schema_id).text}

    def raw_schema(self, schema_id: str) -> Any:
        """Answer `GET /schemas/ids/{id}/schema`."""
        return self._by_id(schema_id).definition

    def versions_of(self, schema_id: str) -> list[dict[str, Any]]:
        """Answer `GET /schemas/ids/{id}/versions`."""
        places = self._subjects().of_schema(self._by_id(schema_id).id)
        return [{"subject": subject, "version": number} for subject, number in places]

    def subjects_of(self, schema_id: str) -> list[str]:
        """Answer `GET /schemas/ids/{id}/subjects`."""
        return [place["subject"] for place in self.versions_of(schema_id)]

    def subjects(self) -> list[str]:
        """Answer `GET /subjects`."""
        return list(self._subjects().versions)

    def versions(self, subject: str) -> list[int]:
        """Answer `GET /subjects/{subject}/versions`."""
        return list(range(1, len(self._of_subject(subject)) + 1))

    def version(self, subject: str, version: str) -> dict[str, Any]:
        """Answer `GET /subjects/{subject}/versions/{version}`; `latest` and `-1` are the newest."""
        schemas = self._of_subject(subject)
        number = len(schemas) if version in {"latest", "-1"} else _number(version)
        if number > len(schemas):
            raise RegistryError(40402, f"Version {number} not found.")
        return _registered(subject, number, schemas[number - 1])

    def raw_version(self, subject: str, version: str) -> Any:
        """Answer `GET /subjects/{subject}/versions/{version}/schema`."""
        return json.loads(self.version(subject, version)["schema"])

    def lookup(self, subject: str, body: bytes) -> dict[str, Any]:
        """Answer `POST /subjects/{subject}`: which version a schema is. It registers nothing."""
        try:
            asked = json.loads(json.loads(body)["schema"])
        except (ValueError, KeyError, TypeError, RecursionError):
            raise RegistryError(42201, "Invalid schema") from None
        for number, schema in enumerate(self._of_subject(subject), start=1):
            if schema.definition == asked:
                return _registered(subject, number, schema)
        raise RegistryError(40403, "Schema not found")

    def _subjects(self) -> Subjects:
        return subjects_of(self._book, self._prefix)

    def _of_subject(self, subject: str) -> tuple[Schema, ...]:
        schemas = self._subjects().versions.get(subject)
        if schemas is None:
            raise RegistryError(40401, f"Subject '{subject}' not found.")
        return schemas

    def _by_id(self, schema_id: str) -> Schema:
        digits = schema_id.isascii() and schema_id.isdigit() and len(schema_id) <= _MAX_ID_DIGITS
        if not digits or int(schema_id) not in self._book:
            raise RegistryError(40403, f"Schema {schema_id} not found")
        return self._book[int(schema_id)]


def _number(version: str) -> int:
    if version.isascii() and version.isdigit() and 1 <= int(version[:11]) <= _MAX_VERSION:
        return int(version)
    raise RegistryError(
        42202,
        f"The specified version '{version}' is not a valid version id. Allowed values are between "
        f'[1, {_MAX_VERSION}] and the string "latest"',
    )


def _registered(subject: str, number: int, schema: Schema) -> dict[str, Any]:
    return {"subject": subject, "version": number, "id": schema.id, "schema": schema.text}
