"""From the bytes of a record on `runs` to what is folded, or to why it cannot be."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tailrace.schemas.errors import TailraceError
from tailrace.schemas.wire import WireError, decode
from tailrace.streams.rows import is_id
from tailrace.streams.run_state import OUTCOMES

if TYPE_CHECKING:
    from tailrace.schemas.wire import SchemaSource

EVENT, HEARTBEAT = "journal_event", "heartbeat"


class PoisonError(TailraceError):
    """A record of `runs` is nothing that can be folded."""


def read_record(value: bytes | None, source: SchemaSource) -> tuple[str, dict[str, Any]] | None:
    """Return a record's name and its fields; None for a tombstone, which says nothing.

    Raises:
        UnknownSchemaError: if its schema is not known (yet).
        PoisonError: if it cannot be folded, with the reason.
    """
    if value is None:
        return None
    try:
        schema, record = decode(value, source=source)
    except WireError as error:
        if type(error) is not WireError:
            raise
        raise PoisonError(str(error)) from error
    if schema.name not in (EVENT, HEARTBEAT):
        raise PoisonError(f"a {schema.name} record does not belong on the runs topic")
    for name in ("trace_id", "root_run_id", "run_id"):
        if not is_id(record[name]):
            raise PoisonError(f"{name} {record[name][:80]!r} is no id")
    if schema.name == EVENT and record["kind"] in OUTCOMES and record["last_seq"] is None:
        raise PoisonError(f"the last event of run {record['run_id']} does not say its last_seq")
    return schema.name, record
