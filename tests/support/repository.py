"""What the repository holds, as its tests read it: the files git knows, the project's own facts."""

from __future__ import annotations

import ast
import subprocess
import tomllib
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path, PurePosixPath
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
"""The folder of the checkout."""

SOURCE_ROOTS = ("schemas", "producers", "streams", "sinks", "evals", "console")
"""The folders that hold a portion of the namespace each, from the ground floor up."""


@dataclass(frozen=True)
class Source:
    """One text file: its path from the checkout's folder, with `/`, and what it says."""

    path: str
    text: str

    @cached_property
    def lines(self) -> list[str]:
        """The text's lines, without their ends."""
        return self.text.splitlines()

    @cached_property
    def tree(self) -> ast.Module:
        """The parsed module; only a Python file has one."""
        return ast.parse(self.text, filename=self.path)

    @property
    def name(self) -> PurePosixPath:
        """The path, to take apart."""
        return PurePosixPath(self.path)

    @property
    def is_python(self) -> bool:
        """Whether this is a Python module."""
        return self.name.suffix == ".py"

    @property
    def is_test(self) -> bool:
        """Whether this is a part of the tests, their support included."""
        return self.name.parts[0] == "tests"

    @property
    def source_root(self) -> str | None:
        """The source root that holds this file, if one does."""
        first = self.name.parts[0]
        return first if first in SOURCE_ROOTS else None


@cache
def paths() -> tuple[str, ...]:
    """Return every file that is committed or could be: tracked, or new and not ignored."""
    listing = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"],
        cwd=ROOT,
        check=True,
        capture_output=True,
        text=True,
        timeout=30,
    )
    found = {path for path in listing.stdout.split("\0") if path}
    return tuple(sorted(path for path in found if (ROOT / path).is_file()))


@cache
def sources() -> tuple[Source, ...]:
    """Return every text file; a file that is no UTF-8 is data and is left out."""
    found: list[Source] = []
    for path in paths():
        try:
            found.append(Source(path, (ROOT / path).read_text(encoding="utf-8")))
        except UnicodeDecodeError:
            continue
    return tuple(found)


def modules() -> tuple[Source, ...]:
    """Return every Python module, tests included."""
    return tuple(source for source in sources() if source.is_python)


@cache
def project() -> dict[str, Any]:
    """Return pyproject.toml, parsed."""
    return tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))


def extras() -> dict[str, list[str]]:
    """Return the requirements of each extra, as pyproject.toml states them."""
    return project()["project"]["optional-dependencies"]


def dotted_name(path: str) -> str:
    """Return the import name of a module below a source root, e.g. `tailrace.schemas.errors`."""
    parts = PurePosixPath(path).with_suffix("").parts[1:]
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)
