"""The sink's metrics and health over HTTP, around counts that a test sets."""

from __future__ import annotations

import socket
import urllib.error
import urllib.request

import pytest

from tailrace.console.sink_view.server import SinkViewError, serving
from tailrace.sinks.archive.health import Health
from tailrace.sinks.sink import SinkStats


def get(url: str, method: str = "GET") -> tuple[int, str]:
    request = urllib.request.Request(url, method=method)  # noqa: S310 - the test's own server
    try:
        with urllib.request.urlopen(request, timeout=10) as answer:  # noqa: S310 - likewise
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.read().decode()


def test_metrics_are_served_under_their_names() -> None:
    stats = SinkStats()
    stats.meters.stored("tailrace.runs", rows=3, skipped=0, letters=0, size_bytes=30)
    with serving(stats) as address:
        status, text = get(f"{address}/metrics")
    assert status == 200
    assert 'tailrace_archive_rows_total{topic="tailrace.runs"} 3.0' in text.splitlines()
    assert "_created" not in text


def test_health_is_200_while_well_and_503_with_the_reason_when_not() -> None:
    stats = SinkStats()
    with serving(stats) as address:
        assert get(f"{address}/healthz") == (200, "ok\n")
        stats.health.failed("the tables are gone")
        assert get(f"{address}/healthz") == (503, "the sink failed: the tables are gone\n")


def test_health_is_asked_anew_each_time() -> None:
    now = [0.0]
    stats = SinkStats(health=Health(5, clock=lambda: now[0]))
    with serving(stats) as address:
        assert get(f"{address}/healthz")[0] == 200
        now[0] = 6.0
        assert get(f"{address}/healthz")[0] == 503


def test_nothing_else_is_served_and_nothing_can_be_changed() -> None:
    with serving(SinkStats()) as address:
        assert get(f"{address}/")[0] == 404
        assert get(f"{address}/metrics/../etc")[0] == 404
        assert get(f"{address}/metrics", "POST")[0] == 405
        assert get(f"{address}/healthz", "DELETE")[0] == 405


def test_a_client_that_says_nothing_keeps_nobody_waiting() -> None:
    with serving(SinkStats()) as address:
        host, port = address.removeprefix("http://").rsplit(":", 1)
        with socket.create_connection((host, int(port))):
            assert get(f"{address}/healthz")[0] == 200


def test_it_listens_on_loopback_unless_told() -> None:
    with serving(SinkStats()) as address:
        assert address.startswith("http://127.0.0.1:")


def test_a_port_that_is_taken_is_one_sentence() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with (
            pytest.raises(SinkViewError, match=f"cannot listen on 127.0.0.1:{port} for metrics"),
            serving(SinkStats(), port=port),
        ):
            pass
