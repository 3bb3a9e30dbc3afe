"""The demo's verdict: it says that all is well only if it is."""

from __future__ import annotations

from dataclasses import fields, replace

import pytest
from examples.demo_counts import Counts

GOOD = Counts(
    calls=3,
    answered=3,
    runs=4,
    named=20,
    records=20,
    identities=20,
    rows=20,
    stored=20,
    bodies=5,
    bodies_stored=5,
)
CHECKED = [field.name for field in fields(Counts) if field.name != "runs"]


def test_equal_counts_agree_and_no_events_at_all_do_not() -> None:
    assert GOOD.agree()
    assert not Counts().agree()


@pytest.mark.parametrize("name", CHECKED)
@pytest.mark.parametrize("by", [-1, 1])
def test_one_event_too_many_or_too_few_is_seen(name: str, by: int) -> None:
    assert not replace(GOOD, **{name: getattr(GOOD, name) + by}).agree()


def test_the_table_fits_a_terminal_and_shows_every_count() -> None:
    lines = GOOD.lines()
    assert len(lines) == len(fields(Counts))
    assert max(map(len, lines)) <= 80
