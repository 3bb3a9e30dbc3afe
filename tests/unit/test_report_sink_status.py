"""The sink says how it goes in one line."""

from __future__ import annotations

from datetime import UTC, datetime

from tailrace.console.report.sink_status import log_line, status_line
from tailrace.sinks.sink import SinkStats


def test_the_live_line_names_what_went_wrong_only_if_something_did() -> None:
    assert status_line(SinkStats(rows=12_345, lag=7, partitions=8), 1_500.4, 65).plain == (
        "▸ 1,500 rows/s  12,345 rows stored  lag 7  8 partitions  1m05s"
    )
    troubled = SinkStats(rows=1, partitions=1, dead_letters=2, retries=3, waiting_for_schemas=1)
    assert status_line(troubled, 0, 1).plain == (
        "▸ 0 rows/s  1 rows stored  lag 0  1 partition  2 dead letters  3 retries"
        "  1 waiting for a schema  1.0s"
    )


def test_a_sink_without_partitions_waits() -> None:
    assert status_line(SinkStats(), 0, 1).plain.startswith("◌ waiting for partitions")


def test_the_log_line_is_a_time_and_pairs() -> None:
    now = datetime(2026, 11, 22, 12, 0, 1, tzinfo=UTC)
    assert log_line(SinkStats(rows=5, lag=2, partitions=3), 2.6, now) == (
        "2026-11-22T12:00:01Z sink rows=5 rows_per_s=3 lag=2 partitions=3 dead_letters=0 "
        "retries=0 waiting_for_schemas=0"
    )
