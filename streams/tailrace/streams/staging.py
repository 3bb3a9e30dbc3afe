"""Rows on their way: seen by whoever reads the state, not yet in the changelog."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

Change = tuple[bytes, bytes | None]
"""A key and its row; None where the row is deleted."""


class Table(Protocol):
    """Where rows lie once they are in the changelog."""

    def row(self, partition: int, key: bytes) -> bytes | None:
        """Return a row, None if there is none."""
        ...

    def rows(self, partition: int) -> Iterator[tuple[bytes, bytes]]:
        """Yield a partition's rows."""
        ...


class StagedRows:
    """The rows of one partition: those of the table, and before them those that are on their way.

    Args:
        table: where acknowledged rows lie.
        partition: the partition.
    """

    def __init__(self, table: Table, partition: int) -> None:
        self._table = table
        self._partition = partition
        self._staged: dict[bytes, tuple[int, bytes | None]] = {}
        """How many changes of a row are on their way, and what the last one makes it."""

        self._changes: list[Change] = []
        self._undo: list[tuple[bytes, tuple[int, bytes | None] | None]] = []

    def get(self, key: bytes, /) -> bytes | None:
        """Return a row as it was set last, None if there is none."""
        found = self._staged.get(key)
        return found[1] if found is not None else self._table.row(self._partition, key)

    def set(self, key: bytes, row: bytes, /) -> None:
        """Keep a row."""
        self._change(key, row)

    def delete(self, key: bytes, /) -> None:
        """Forget a row."""
        self._change(key, None)

    def items(self) -> list[tuple[bytes, bytes]]:
        """Return every row as it was set last."""
        rows = dict(self._table.rows(self._partition))
        for key, (_, row) in self._staged.items():
            if row is None:
                rows.pop(key, None)
            else:
                rows[key] = row
        return list(rows.items())

    def mark(self) -> None:
        """Begin something that `roll_back` takes back whole."""
        self._undo.clear()

    def roll_back(self) -> None:
        """Take back what was changed since `mark`, if `take` was not called since."""
        for key, before in reversed(self._undo):
            if before is None:
                del self._staged[key]
            else:
                self._staged[key] = before
        del self._changes[len(self._changes) - len(self._undo) :]
        self._undo.clear()

    def take(self) -> list[Change]:
        """Return the changes since the last call, in their order, to be acknowledged."""
        taken, self._changes = self._changes, []
        self._undo.clear()
        return taken

    def settle(self, changes: Sequence[Change]) -> None:
        """Note that changes lie in the table now; those that were overtaken stay on their way."""
        for key, _ in changes:
            number, row = self._staged[key]
            if number == 1:
                del self._staged[key]
            else:
                self._staged[key] = number - 1, row

    def _change(self, key: bytes, row: bytes | None) -> None:
        before = self._staged.get(key)
        self._undo.append((key, before))
        self._staged[key] = (1 if before is None else before[0] + 1), row
        self._changes.append((key, row))
