"""The seam to chDB, which has no types of its own: what a connection can do, in chDB's words."""

from __future__ import annotations

from typing import Protocol


class Result(Protocol):
    """One chunk, or a whole result."""

    def bytes(self) -> bytes: ...  # noqa: D102 - chDB's own names
    def rows_read(self) -> int: ...  # noqa: D102
    def rows_written(self) -> int: ...  # noqa: D102
    def bytes_written(self) -> int: ...  # noqa: D102
    def storage_rows_read(self) -> int: ...  # noqa: D102
    def storage_bytes_read(self) -> int: ...  # noqa: D102
    def elapsed(self) -> float: ...  # noqa: D102


class Stream(Protocol):
    """A result in chunks; `fetch` blocks, and returns None at the end."""

    def fetch(self) -> Result | None: ...  # noqa: D102
    def cancel(self) -> None: ...  # noqa: D102


class Written(Protocol):
    """What an insert did."""

    rows_written: int
    bytes_written: int
    elapsed: float  # seconds


class Inserter(Protocol):
    """An insert that takes its rows in pieces; nothing is certain before `finish` returns."""

    def append(self, data: bytes) -> None: ...  # noqa: D102
    def finish(self) -> Written: ...  # noqa: D102
    def cancel(self) -> None: ...  # noqa: D102


class Connection(Protocol):
    """A chDB connection: one statement at a time; every call blocks and releases the GIL.

    Arguments are the SQL, the output (or input) format, and the values of its parameters.
    """

    def query(self, sql: bytes, output: str, params: dict[str, str] | None = None, /) -> Result: ...  # noqa: D102
    def send_query(  # noqa: D102
        self, sql: bytes, output: str, params: dict[str, str] | None = None, /
    ) -> Stream: ...
    def send_insert(self, sql: bytes, source: str, /) -> Inserter: ...  # noqa: D102
    def close(self) -> None: ...  # noqa: D102
