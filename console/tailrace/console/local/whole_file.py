"""Files that a reader sees whole or not at all."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path


def put_whole(path: Path, content: bytes) -> None:
    """Write a file in one step: who reads meanwhile sees what stood there before, or this.

    Raises:
        OSError: if it cannot be written.
    """
    staged = path.with_name(f"{path.name}.{os.getpid()}")
    staged.write_bytes(content)
    staged.replace(path)
