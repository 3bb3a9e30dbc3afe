from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tailrace.console.report.backlog import Backlog


def after(*looks: tuple[int, float]) -> Backlog:
    backlog = Backlog()
    for lag, now_s in looks:
        backlog.look(lag, now_s)
    return backlog


def test_a_sink_at_work_has_no_backlog() -> None:
    assert after((9_999, 0), (5_000, 1)).share is None
    assert not after((9_999, 0)).bar()


def test_the_time_left_is_by_the_rate_at_which_the_lag_shrinks() -> None:
    backlog = after((100_000, 10), (40_000, 40))
    assert backlog.share == pytest.approx(0.6)
    assert backlog.left_s == 20
    assert backlog.bar().plain == "━" * 20 + " 60%, 20s left"


def test_a_backlog_that_grows_promises_nothing() -> None:
    backlog = after((20_000, 0), (30_000, 10))
    assert (backlog.share, backlog.left_s) == (0, None)
    assert backlog.bar().plain == "━" * 20 + " 0%"


def test_it_ends_when_it_is_worked_off_and_a_new_one_begins_anew() -> None:
    assert after((20_000, 0), (999, 10)).share is None
    assert after((20_000, 0), (999, 10), (5_000, 11)).share is None
    assert after((20_000, 0), (999, 10), (50_000, 20)).share == 0


@given(st.lists(st.tuples(st.integers(0, 10**12), st.floats(0, 1e9)), max_size=20))
def test_whatever_it_sees_it_says_something_sensible(looks: list[tuple[int, float]]) -> None:
    backlog = after(*sorted(looks, key=lambda look: look[1]))
    assert backlog.share is None or 0 <= backlog.share <= 1
    assert backlog.left_s is None or backlog.left_s >= 0
    backlog.bar()
