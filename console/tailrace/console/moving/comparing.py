"""Compares one partition of both clusters, record by record, and names the first difference.

Each record is reduced to a digest of its time, key, value and headers, so that memory is that of a
window of offsets; fillers are passed over.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from hashlib import blake2b, sha256
from struct import Struct
from typing import TYPE_CHECKING, cast

from tailrace.console.moving.errors import MoveRefusedError
from tailrace.console.moving.placing import is_filler

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable, Sequence

    from aiokafka import TopicPartition

    from tailrace.console.moving.placing import WholeRecord
    from tailrace.console.moving.stretches import Stretch
    from tailrace.sinks.gaps.log import Log

WINDOW_OFFSETS = 65_536
_DIGEST_BYTES = 16
_HEAD = Struct(">qii")
_LENGTH = Struct(">i")


@dataclass(frozen=True)
class Compared:
    """A stretch of a partition that is equal on both clusters."""

    records: int
    """Records in it, fillers not counted."""

    digest: str
    """SHA-256 over the offsets and digests of all of them, 64 hex digits."""


async def compare_partition(
    old: Log,
    new: Log,
    partition: TopicPartition,
    stretch: Stretch,
    on_progress: Callable[[int], None],
    *,
    compacts: bool = False,
) -> Compared:
    """Return what both hold in a stretch of a partition.

    What the old cluster has deleted since it was copied is no difference.

    Args:
        old: a reader of the old cluster.
        new: a reader of the new one.
        partition: which one.
        stretch: of it.
        on_progress: called with offsets done since the last call.
        compacts: whether the old cluster may have taken out any record since it was copied.

    Raises:
        MoveRefusedError: naming the first offset at which they differ.
        LogUnreadableError: if one of them cannot be read.
    """
    first, end = stretch
    sides = (_Digests(old, partition, first, end), _Digests(new, partition, first, end))
    total = sha256()
    records = 0
    position = first
    while position < end:
        border = min(position + WINDOW_OFFSETS, end)
        here, there = await asyncio.gather(*(side.below(border) for side in sides))
        if compacts:
            there = {offset: there[offset] for offset in there if offset in here}
        if here != there:
            begin = (await old.begins([partition]))[partition]
            kept = {offset: digest for offset, digest in there.items() if offset >= begin}
            if {offset: digest for offset, digest in here.items() if offset >= begin} != kept:
                raise MoveRefusedError(_difference(partition, here, there))
        for offset, digest in here.items():
            total.update(offset.to_bytes(8, "big") + digest)
        records += len(here)
        on_progress(border - position)
        position = border
    return Compared(records, total.hexdigest())


def record_digest(record: WholeRecord) -> bytes:
    """Return the digest of everything of a record but its place."""
    key, value = record.key, record.value
    lengths = (-1 if part is None else len(part) for part in (key, value))
    digest = blake2b(_HEAD.pack(record.timestamp, *lengths), digest_size=_DIGEST_BYTES)
    digest.update(key or b"")
    digest.update(value or b"")
    for name, content in record.headers:
        for part in (name.encode(), content):
            digest.update(_LENGTH.pack(-1 if part is None else len(part)))
            digest.update(part or b"")
    return digest.digest()


def _difference(partition: TopicPartition, here: dict[int, bytes], there: dict[int, bytes]) -> str:
    offset = min(key for key in here.keys() | there.keys() if here.get(key) != there.get(key))
    place = f"{partition.topic}-{partition.partition}:{offset}"
    if offset not in there:
        what = f"the record at {place} is not on the new cluster"
    elif offset not in here:
        what = f"the new cluster holds a record at {place} that the old one does not"
    else:
        what = f"the records at {place} are not the same on both clusters"
    return (
        f"{what}: the topic there is no copy of this one, so delete it there if nobody needs it, "
        "or move to another cluster or prefix"
    )


class _Digests:
    """The digests of one side, window by window."""

    def __init__(self, log: Log, partition: TopicPartition, first: int, end: int) -> None:
        self._portions = cast(
            "AsyncGenerator[Sequence[WholeRecord]]", log.read(partition, first, end)
        )
        self._read: dict[int, bytes] = {}
        self._last = first - 1
        self._exhausted = False

    async def below(self, border: int) -> dict[int, bytes]:
        """Return digests by offset of what was not returned yet and lies below the border."""
        while self._last + 1 < border and not self._exhausted:
            portion = await anext(self._portions, None)
            if portion is None:
                self._exhausted = True
                break
            for record in portion:
                self._last = record.offset
                if not is_filler(record):
                    self._read[record.offset] = record_digest(record)
        found = {offset: digest for offset, digest in self._read.items() if offset < border}
        self._read = {key: digest for key, digest in self._read.items() if key >= border}
        return found
