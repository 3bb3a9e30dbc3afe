"""The destination of a dry run: everything is checked and counted, nothing goes anywhere."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from tailrace.console.importing.journal import RecordedRun


class Nowhere:
    """Knows no runs and keeps none."""

    async def known(self, run_ids: Iterable[str]) -> set[str]:
        """Return that none of the runs is there."""
        del run_ids
        return set()

    async def register(self, manifest: dict[str, Any], label: str) -> None:
        """Do nothing."""

    async def publish(self, runs: Sequence[RecordedRun]) -> None:
        """Do nothing."""
