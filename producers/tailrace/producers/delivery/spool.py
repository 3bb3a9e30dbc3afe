"""The spool: a folder of segments on disk that holds what Kafka does not take for now.

One process writes a spool, under a lock on a file in it. Segments are appended to, never changed;
`append` returns when the data is on the disk (write and fsync). A sent segment is removed whole. A
spool whose process is gone has a free lock: the next client on the host takes it over.

Here is storage alone; when to spool and how to send what lies there is `backlog`'s.
"""

from __future__ import annotations

import fcntl
import os
import weakref
from contextlib import suppress
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tailrace.producers.delivery.spool_format import Scan, frame, scan
from tailrace.schemas.errors import TailraceError
from tailrace.schemas.ids import new_id

if TYPE_CHECKING:
    from collections.abc import Container, Iterator, Sequence

    from tailrace.producers.delivery.ledger import Record

SEGMENT_BYTES = 8 * 1024 * 1024
"""A segment is closed when it is larger; it is read and sent as a whole."""

MAX_BYTES = 1024 * 1024 * 1024
"""How large all spools of one cluster and prefix on this host may grow, unless told."""

_NEW = ".new-"
_LOCK = "lock"
_SUFFIX = ".spool"
_PRIVATE = 0o700


class SpoolFullError(TailraceError):
    """The spool has no room for more."""


@dataclass(slots=True, eq=False)
class Segment:
    """One file of a spool."""

    path: Path

    size_bytes: int = 0

    count: int = 0
    """Records that this process wrote to it."""

    live: dict[int, Record] = field(default_factory=dict[int, Any])
    """By their place in bytes: records that were with the broker already when they were written."""

    def read(self) -> Scan:
        """Return what it holds; raises OSError."""
        return scan(self.path.read_bytes())


def spool_root(told: str | None, servers: str, prefix: str) -> Path:
    """Return the folder of all spools towards one cluster and prefix.

    It lies in `told`, else `TAILRACE_SPOOL`, else `$XDG_STATE_HOME/tailrace/spool`, else
    `~/.local/state/tailrace/spool`.
    """
    base = told or os.environ.get("TAILRACE_SPOOL")
    if base:
        folder = Path(base)
    else:
        state = os.environ.get("XDG_STATE_HOME")
        folder = (Path(state) if state else Path.home() / ".local" / "state") / "tailrace" / "spool"
    return folder / sha256(f"{servers}\n{prefix}".encode()).hexdigest()[:16]


class Spool:
    """One process's spool. Not thread-safe: the sender's thread alone uses it."""

    def __init__(self, root: Path, *, max_bytes: int = MAX_BYTES) -> None:
        """Make a spool that touches the disk only when something is appended."""
        self.root = root
        self.folder: Path | None = None
        self.max_bytes = max_bytes
        self._sealed: list[Segment] = []
        self._active: Segment | None = None
        self._file: int | None = None
        self._lock: int | None = None
        self._number = 0
        self._others_bytes = 0
        _alive.add(self)

    @property
    def size_bytes(self) -> int:
        """How much lies in it."""
        return sum(segment.size_bytes for segment in self._segments())

    @property
    def count(self) -> int:
        """How many records this process left in it."""
        return sum(segment.count for segment in self._segments())

    def append(self, records: Sequence[Record], live: Container[Record] = ()) -> None:
        """Write records in order; when this returns they outlive the process and the host.

        Args:
            records: what to write.
            live: which of them are with the broker already and may yet be acknowledged.

        Raises:
            SpoolFullError: if there is no room for all; nothing is written then.
            OSError: if the disk does not take it; nothing is left of it then, if it can be helped.
        """
        frames = [
            frame(each.topic.suffix, each.key, each.value, is_last=each.is_last) for each in records
        ]
        size = sum(map(len, frames))
        if self._active is None:
            self._begin_segment()
        if self.size_bytes + self._others_bytes + size > self.max_bytes:
            raise SpoolFullError(
                f"the spool at {self.root} is full ({self.max_bytes} bytes): let the client reach "
                "Kafka, or give it a larger spool_bytes"
            )
        segment = self._active
        assert segment is not None
        assert self._file is not None
        try:
            _write(self._file, b"".join(frames))
            os.fsync(self._file)
        except OSError:
            with suppress(OSError):
                os.ftruncate(self._file, segment.size_bytes)
            self.seal()
            raise
        place = segment.size_bytes
        for record, data in zip(records, frames, strict=True):
            if record in live:
                segment.live[place] = record
            place += len(data)
        segment.size_bytes = place
        segment.count += len(records)
        if place >= SEGMENT_BYTES:
            self.seal()

    def seal(self) -> bool:
        """Close the segment that is written to; say whether there was one with content."""
        segment, self._active = self._active, None
        if self._file is not None:
            os.close(self._file)
            self._file = None
        if segment is None:
            return False
        if segment.size_bytes == 0:
            segment.path.unlink(missing_ok=True)
            return False
        self._sealed.append(segment)
        return True

    def oldest(self) -> Segment | None:
        """Return the oldest closed segment."""
        return self._sealed[0] if self._sealed else None

    def remove(self, segment: Segment) -> None:
        """Take a segment away, all of which is acknowledged."""
        self._sealed.remove(segment)
        with suppress(OSError):  # what cannot be removed is sent again one day: the same bytes
            segment.path.unlink()

    def leave(self, segment: Segment) -> None:
        """Pass over a segment that cannot be read now; it stays for the next process."""
        self._sealed.remove(segment)

    def close(self) -> None:
        """Let go of the lock; an empty spool is removed."""
        self.seal()
        if self.folder is not None and not self._sealed:
            with suppress(OSError):
                (self.folder / _LOCK).unlink(missing_ok=True)
                self.folder.rmdir()
        self.release()

    def release(self) -> None:
        """Close the files, as a forked child has to: its parent's lock is not its own."""
        for name in ("_file", "_lock"):
            number = getattr(self, name)
            if number is not None:
                with suppress(OSError):
                    os.close(number)
            setattr(self, name, None)

    @classmethod
    def take_over(cls, folder: Path) -> Spool | None:
        """Return the spool of a process that is gone; None where its process lives."""
        try:
            lock = os.open(folder / _LOCK, os.O_RDWR | os.O_CLOEXEC)
        except OSError:
            return None
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            found = sorted(folder.glob(f"*{_SUFFIX}"))
            spool = cls(folder.parent)
            spool.folder = folder
            spool._lock = lock
            spool._sealed = [Segment(path, path.stat().st_size) for path in found]
        except OSError:
            os.close(lock)
            return None
        return spool

    def _segments(self) -> Iterator[Segment]:
        yield from self._sealed
        if self._active is not None:
            yield self._active

    def _begin_segment(self) -> None:
        if self.folder is None:
            self._claim()
        assert self.folder is not None
        self._number += 1
        path = self.folder / f"{self._number:08d}{_SUFFIX}"
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND | os.O_CLOEXEC
        self._file = os.open(path, flags, 0o600)
        self._active = Segment(path)
        _sync_folder(self.folder)
        own = self.size_bytes
        self._others_bytes = max(0, _size_of(self.root) - own)

    def _claim(self) -> None:
        """Make the folder; it gets its name when its lock is held, so nobody takes it before."""
        self.root.mkdir(mode=_PRIVATE, parents=True, exist_ok=True)
        name = f"{new_id()}-{os.getpid()}"
        making = self.root / f"{_NEW}{name}"
        making.mkdir(mode=_PRIVATE)
        flags = os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
        self._lock = os.open(making / _LOCK, flags, 0o600)
        fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        self.folder = making.rename(self.root / name)
        _sync_folder(self.root)


def abandoned(root: Path, *, but: Path | None) -> Iterator[Spool]:
    """Take over the spools of processes that are gone, oldest first; the caller closes each."""
    try:
        folders = sorted(each for each in root.iterdir() if not each.name.startswith(_NEW))
    except OSError:
        return
    for folder in folders:
        spool = None if folder == but else Spool.take_over(folder)
        if spool is not None:
            yield spool


def _write(file: int, data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[os.write(file, view) :]


def _sync_folder(folder: Path) -> None:
    number = os.open(folder, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(number)
    finally:
        os.close(number)


def _size_of(root: Path) -> int:
    size = 0
    for path in root.glob(f"*/*{_SUFFIX}"):
        with suppress(OSError):
            size += path.stat().st_size
    return size


_alive: weakref.WeakSet[Spool] = weakref.WeakSet()


def _release_in_child() -> None:
    for spool in list(_alive):
        spool.release()


os.register_at_fork(after_in_child=_release_in_child)
