"""Hands spools over from one cluster's address to another's, once the log has moved there."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tailrace.producers.delivery.spool import abandoned

if TYPE_CHECKING:
    from pathlib import Path


def move_spools(old: Path, new: Path) -> tuple[int, int]:
    """Have the next client of the new address send what processes left for the old one.

    Args:
        old: from `spool.spool_root` for the old address.
        new: the same for the new one.

    Returns:
        How many spools were handed over, and how many are left because their processes live.
    """
    moved = 0
    for spool in abandoned(old, but=None):
        folder = spool.folder
        assert folder is not None, "a spool that was taken over has a folder"
        new.mkdir(mode=0o700, parents=True, exist_ok=True)
        folder.rename(new / folder.name)  # under its lock, which goes with it
        spool.release()
        moved += 1
    left = len(list(old.iterdir())) if old.is_dir() else 0
    return moved, left
