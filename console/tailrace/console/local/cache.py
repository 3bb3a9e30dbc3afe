"""Where this machine keeps what every project shares: jars and class archives."""

from __future__ import annotations

import os
from pathlib import Path

from tailrace.console.local.errors import StackError


def cache_folder(part: str) -> Path:
    """Return `PART` inside the shared cache, made if missing.

    The cache is `TAILRACE_CACHE`, else `$XDG_CACHE_HOME/tailrace`, else `~/.cache/tailrace`. All in
    it can be deleted at any time while no stack runs: it is fetched or made again.

    Raises:
        StackError: if the folder cannot be made.
    """
    folder = _root() / part
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise StackError(
            f"the cache folder {folder} cannot be made ({error.strerror}): "
            "set TAILRACE_CACHE to a folder you may write"
        ) from error
    return folder


def _root() -> Path:
    told = os.environ.get("TAILRACE_CACHE")
    if told:
        return Path(told).expanduser().absolute()
    base = os.environ.get("XDG_CACHE_HOME")
    return (Path(base) if base else Path.home() / ".cache") / "tailrace"
