"""The Faust table that state lies in, read and written by partition.

Faust brings its rows back from the changelog; writing is ours (`publisher`). A plain Faust table
takes the partition from the event in progress, so that time alone could change nothing, hands rows
to its producer without hearing whether the broker took them, and in memory keeps rows of partitions
that have moved away, which are stale when those come back.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

import faust
from faust.types import TP

from tailrace.schemas.topic_settings import MAX_MESSAGE_BYTES
from tailrace.streams.rows import decode_key

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

ROCKSDB_OPTIONS = {
    "write_buffer_size": 16 << 20,
    "max_write_buffer_number": 2,
    "target_file_size_base": 16 << 20,
    "block_cache_size": 32 << 20,
    "block_cache_compressed_size": 0,
    "max_open_files": 256,
}
"""Of one partition each: Faust's own would let every partition cache 2.5 GB."""

CHANGELOG_CONFIGS = {
    "segment.ms": str(3_600_000),
    "min.cleanable.dirty.ratio": "0.1",
    "max.message.bytes": str(MAX_MESSAGE_BYTES),
    "compression.type": "producer",
}
"""Rows are short-lived: the changelog is compacted often, so that bringing state back is quick."""

# faust's own annotations leave most of a table open.
_Table: Any = faust.Table


class StateTable(_Table):
    """A table whose rows belong to the partition that stands in their key."""

    written: dict[Any, int]
    """By changelog partition, the offset up to which this process holds all rows."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        base: Any = super()
        base.__init__(*args, **kwargs)
        self.written = {}

    def persisted_offset(self, tp: Any) -> int | None:
        """Return up to where the changelog need not be read; asked at each rebalance."""
        base: Any = super()
        stored: int | None = base.persisted_offset(tp)
        return self.written.get(tp) if stored is None else stored

    def apply_changelog_batch(self, batch: Any) -> None:
        """Take in rows; a log that was moved has records without a key where it had holes."""
        base: Any = super()
        base.apply_changelog_batch([event for event in batch if event.message.key is not None])

    async def on_rebalance(
        self, assigned: Any, revoked: Any, newly_assigned: Any, generation_id: int = 0
    ) -> None:
        """Forget what belongs to partitions that have gone."""
        gone = {tp.partition for tp in revoked if tp.topic == self.changelog}
        self.written = {tp: at for tp, at in self.written.items() if tp.partition not in gone}
        rows = self._in_memory
        if rows is not None and gone:
            for key in [key for key in rows if decode_key(key).partition in gone]:
                del rows[key]
        base: Any = super()
        await base.on_rebalance(assigned, revoked, newly_assigned, generation_id)

    def row(self, partition: int, key: bytes) -> bytes | None:
        """Return a row, None if there is none."""
        rows = self._in_memory
        return rows.get(key) if rows is not None else self._on_disk(partition).get(key)

    def rows(self, partition: int) -> Iterator[tuple[bytes, bytes]]:
        """Yield a partition's rows."""
        memory = self._in_memory
        if memory is not None:
            begin = b"%d|" % partition
            yield from [(key, row) for key, row in memory.items() if key.startswith(begin)]
            return
        for key, row in self._on_disk(partition).items():
            if key != self.data.offset_key:
                yield key, row

    @property
    def changelog(self) -> str:
        """The changelog topic's full name."""
        return str(self.changelog_topic_name)

    def keep(
        self, partition: int, changes: Iterable[tuple[bytes, bytes | None]], offset: int
    ) -> None:
        """Take in changes that lie in the changelog up to an offset."""
        tp = TP(self.changelog, partition)
        memory = self._in_memory
        if memory is not None:
            for key, row in changes:
                if row is None:
                    memory.pop(key, None)
                else:
                    memory[key] = row
            self.written[tp] = offset
            return
        database = self._on_disk(partition)
        for key, row in changes:
            if row is None:
                database.delete(key)
            else:
                database.put(key, row)
        self.data.set_persisted_offset(tp, offset)

    @property
    def _in_memory(self) -> dict[bytes, bytes] | None:
        found = getattr(self.data, "data", None)
        return cast("dict[bytes, bytes]", found) if isinstance(found, dict) else None

    def _on_disk(self, partition: int) -> Any:
        return self.data._db_for_partition(partition)  # noqa: SLF001 - Faust has no other way by partition
