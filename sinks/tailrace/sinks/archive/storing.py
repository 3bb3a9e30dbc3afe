"""Stores one block: sorts its records by schema, inserts each schema's container, names the rest.

Blocking; called from worker threads. What it cannot store it hands back with reasons.
"""

from __future__ import annotations

import logging
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Generic

from tailrace.schemas.catalog import latest
from tailrace.schemas.errors import TailraceError
from tailrace.schemas.wire import HEADER_BYTES, UnknownSchemaError, WireError, split_frame
from tailrace.sinks.archive.blocks import splice
from tailrace.sinks.archive.cutting import R
from tailrace.sinks.archive.isolation import Rejected, reject_by_halving, reject_corrupt
from tailrace.sinks.archive.protocol import insert_token
from tailrace.sinks.archive.writer import InsertFailedError, InsertRefusedError
from tailrace.sinks.tables import SKIPPED_RECORDS, Table, table_of

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping, Sequence

    from tailrace.schemas.catalog import Schema
    from tailrace.schemas.wire import SchemaSource
    from tailrace.sinks.archive.blocks import Place
    from tailrace.sinks.archive.cutting import Block, LogRecord, Range
    from tailrace.sinks.archive.writer import Writer

_log = logging.getLogger(__name__)

_ENOUGH_TO_JUDGE = 100


class UnknownSchemasError(TailraceError):
    """A block names schemas that are not known yet; nothing of it was inserted."""

    def __init__(self, schema_ids: Collection[int]) -> None:
        super().__init__(f"schemas not known yet: {', '.join(map(str, sorted(schema_ids)))}")
        self.schema_ids = frozenset(schema_ids)


class TooManyRejectedError(TailraceError):
    """Most records of a block are bad: something other than single records is wrong."""


@dataclass
class Stored(Generic[R]):
    """What became of a block's records."""

    rows: int = 0
    """Records that are in a table now, by this insert or an earlier one under the same token."""

    skipped: int = 0
    """Records that have no row by rule: tombstones and heartbeats."""

    narrowed: int = 0
    """Records in a table whose schema has fields without a column, which were left out."""

    rejected: list[Rejected[R]] = field(default_factory=list[Rejected[R]])
    """Records that are to go to the dead letters."""

    splice_s: float = 0.0
    """Seconds that making the containers took."""


class BlockStore:
    """Stores blocks of any partition.

    Args:
        writer: inserts.
        source: where schemas are looked up.
        max_rejected_share: above this share of rejected records in a block nothing is dead-lettered
            and the partition stops.
        clock: monotonic seconds, for what is measured.
    """

    def __init__(
        self,
        writer: Writer,
        source: SchemaSource,
        max_rejected_share: float = 0.5,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._writer = writer
        self._source = source
        self._max_share = max_rejected_share
        self._clock = clock
        self._narrow: dict[int, frozenset[str]] = {}

    def knows(self, schema_id: int) -> bool:
        """Return whether the schema can be looked up by now."""
        try:
            self._source[schema_id]
        except KeyError:
            return False
        return True

    def store(
        self,
        place: Place,
        block: Block[R],
        given_up: Collection[int] = frozenset(),
        *,
        repair: int | None = None,
    ) -> Stored[R]:
        """Insert every record that can be; return what became of each.

        Args:
            place: where the block lies.
            block: what to store.
            given_up: schema ids that were waited for long enough: their records are rejected.
            repair: the attempt, where the block is what a repair found missing.

        Raises:
            UnknownSchemasError: before anything is inserted, for ids that are not given up.
            TooManyRejectedError: if most records are bad.
            InsertFailedError: if ClickHouse cannot take inserts.
        """
        groups = _by_header(block.records)
        schemas = self._look_up(groups, given_up)
        stored: Stored[R] = Stored(skipped=len(groups.pop(b"", ())))
        for header, records in groups.items():
            schema = schemas.get(header)
            if schema is None:
                stored.rejected += [Rejected(record, _frame_fault(record)) for record in records]
            elif schema.name in SKIPPED_RECORDS:
                stored.skipped += len(records)
            else:
                token = insert_token(
                    place.log_id,
                    place.topic,
                    place.partition,
                    block.range,
                    schema.id,
                    repair=repair,
                )
                self._insert(place, block.range, schema, records, stored=stored, token=token)
        self._judge(place, block, stored)
        return stored

    def _look_up(
        self, groups: Mapping[bytes, Sequence[R]], given_up: Collection[int]
    ) -> dict[bytes, Schema]:
        schemas: dict[bytes, Schema] = {}
        unknown: set[int] = set()
        for header in groups:
            try:
                schema_id, _ = split_frame(header)
            except WireError:
                continue
            try:
                schemas[header] = self._source[schema_id]
            except KeyError:
                unknown.add(schema_id)
        if waited_for := unknown - set(given_up):
            raise UnknownSchemasError(waited_for)
        return schemas

    def _insert(
        self,
        place: Place,
        block: Range,
        schema: Schema,
        records: Sequence[R],
        *,
        stored: Stored[R],
        token: str,
    ) -> None:
        table = table_of(schema.name)
        if table is None:
            reason = f"this version has no table for the record {schema.name}"
            stored.rejected += [Rejected(record, reason) for record in records]
            return
        try:
            self._writer.insert(table.name, self._splice(schema, place, records, stored), token)
        except InsertRefusedError as refused:
            # Nothing was written and the token is unused, so it still stands for this range.
            sound, rejected = self._isolate(table, schema, place, records)
            if not rejected:
                raise InsertFailedError(
                    f"{refused}, although each record of {place.topic}-{place.partition} {block} "
                    "passes a check alone: look at the table's constraints and projections"
                ) from refused
            stored.rejected += rejected
            records = sound
            if records:
                self._writer.insert(table.name, self._splice(schema, place, records, stored), token)
        stored.rows += len(records)
        stored.narrowed += len(records) if self._left_out(schema) else 0

    def _left_out(self, schema: Schema) -> frozenset[str]:
        """Return the schema's fields that this version has no column for; said once for each."""
        known = self._narrow.get(schema.id)
        if known is None:
            columns = {column["name"] for column in latest(schema.name).definition["fields"]}
            fields = {column["name"] for column in schema.definition["fields"]}
            known = self._narrow[schema.id] = frozenset(fields - columns)
            if known:
                _log.warning(
                    "schema %d of %s is newer than this version, which leaves out its fields %s: "
                    "the log has them, and a rebuild by a newer version stores them",
                    *(schema.id, schema.name, ", ".join(sorted(known))),
                )
        return known

    def _splice(
        self, schema: Schema, place: Place, records: Sequence[R], stored: Stored[R]
    ) -> list[bytes]:
        began = self._clock()
        container = splice(schema, place, records)
        stored.splice_s += self._clock() - began
        return container

    def _isolate(
        self, table: Table, schema: Schema, place: Place, records: Sequence[R]
    ) -> tuple[list[R], list[Rejected[R]]]:
        def refusal(portion: Sequence[R]) -> str | None:
            try:
                self._writer.check(table.name, splice(schema, place, portion))
            except InsertRefusedError as error:
                return str(error)
            return None

        sound, corrupt = reject_corrupt(schema, records)
        sound, refused = reject_by_halving(sound, refusal)
        return sound, corrupt + refused

    def _judge(self, place: Place, block: Block[R], stored: Stored[R]) -> None:
        bad, every = len(stored.rejected), len(block.records)
        if every >= _ENOUGH_TO_JUDGE and bad > self._max_share * every:
            raise TooManyRejectedError(
                f"{bad} of {every} records of {place.topic}-{place.partition} {block.range} cannot "
                f"be stored, e.g. offset {stored.rejected[0].record.offset}: "
                f"{stored.rejected[0].reason}; nothing of them was dead-lettered, so put right "
                "what writes them, or raise max_rejected_share to go on"
            )


def _by_header(records: Sequence[R]) -> dict[bytes, list[R]]:
    """Return the records by their frame's header; tombstones under no bytes at all."""
    groups: dict[bytes, list[R]] = {}
    for record in records:
        value = record.value
        header = b"" if value is None else value[:HEADER_BYTES] or b"\xff"
        group = groups.get(header)
        if group is None:
            groups[header] = [record]
        else:
            group.append(record)
    return groups


def _frame_fault(record: LogRecord) -> str:
    try:
        schema_id, _ = split_frame(record.value or b"")
    except WireError as error:
        return str(error)
    return str(UnknownSchemaError(schema_id))
