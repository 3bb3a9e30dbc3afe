"""The `tailrace` program as a person runs it: a process of its own, its words and its exit code."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

RUN = "import sys; from tailrace.console.cli import main; sys.exit(main())"
PROGRAM = (sys.executable, "-c", RUN)
_TIMEOUT_S = 100


def tailrace(
    *arguments: str, data: Path, variables: Mapping[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    """Run the program to its end against one data folder."""
    return subprocess.run(
        [*PROGRAM, *arguments],
        capture_output=True,
        text=True,
        env=environment(data, variables),
        timeout=_TIMEOUT_S,
        check=False,
    )


def environment(data: Path, variables: Mapping[str, str] | None = None) -> dict[str, str]:
    """Return an environment with this data folder and, of Tailrace's own, only the cache."""
    kept = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith("TAILRACE_") or name == "TAILRACE_CACHE"
    }
    return {**kept, "TAILRACE_DATA": str(data), **(variables or {})}


def status(data: Path) -> dict[str, Any]:
    """Return what `tailrace status --json` says."""
    document: dict[str, Any] = json.loads(tailrace("status", "--json", data=data).stdout)
    return document
