"""Whether one version of a schema can be read as another, by the `avro` package's own checker."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, cast

from avro.compatibility import (
    ReaderWriterCompatibilityChecker,
    SchemaCompatibilityType,
)
from avro.schema import parse

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence


def breaks(versions: Sequence[Mapping[str, Any]]) -> list[str]:
    """Return what keeps the versions from being FULL_TRANSITIVE; empty when they are.

    Every version must read every other, older or newer: a table, a golden sample and a process of
    any age meet records of any age.
    """
    # The checker's own hints leave out the record schemas that `parse` gives.
    parsed = [cast("Any", parse(json.dumps(version))) for version in versions]
    found: list[str] = []
    for reader_no, reader in enumerate(parsed, start=1):
        for writer_no, writer in enumerate(parsed, start=1):
            checker = ReaderWriterCompatibilityChecker()
            result = checker.get_compatibility(reader=reader, writer=writer)
            if result.compatibility is not SchemaCompatibilityType.compatible:
                messages = "; ".join(sorted(result.messages))
                found.append(f"v{reader_no} cannot read v{writer_no}: {messages}")
    return found
