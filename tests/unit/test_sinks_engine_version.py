from __future__ import annotations

import pytest

from tailrace.sinks.archive.engine_version import checks_enum_indexes


@pytest.mark.parametrize(
    ("version", "sound"),
    [
        ("26.9.6.6", True),
        ("26.6.1.399", True),
        ("26.6.1.398", False),
        ("26.5.2.31", True),
        ("26.5.2.30", False),
        ("26.3.17.16", True),
        ("26.3.18.1", True),
        ("26.2.40.1", False),
        ("25.8.9.1", False),
        ("27.1.1.1", True),
    ],
)
def test_only_engines_that_corrupt_records_cannot_crash_are_taken(
    version: str, *, sound: bool
) -> None:
    assert checks_enum_indexes(version) is sound
