"""`tailrace sink --metrics-port`: what it serves while it stores, and when it is stuck."""

from __future__ import annotations

import re
import signal
import subprocess
import threading
import urllib.error
import urllib.request
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import pytest

from support.kafka_proxy import kafka_proxy
from support.log import append
from support.program import PROGRAM, environment, tailrace
from support.traces import Journal
from support.waiting import wait_until
from tailrace.schemas import wire
from tailrace.schemas.catalog import latest
from tailrace.schemas.topics import RUNS, STEPS

if TYPE_CHECKING:
    from collections.abc import Generator
    from pathlib import Path

BAD = b"no frame at all"


@pytest.fixture
def variables(kafka: str, clickhouse: str, database: str, topic_prefix: str) -> dict[str, str]:
    return {
        "TAILRACE_KAFKA": kafka,
        "TAILRACE_CLICKHOUSE": clickhouse,
        "TAILRACE_DATABASE": database,
        "TAILRACE_PREFIX": topic_prefix,
    }


class Sink:
    def __init__(self, process: subprocess.Popen[str]) -> None:
        self.process = process
        self.lines: list[str] = []
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        assert self.process.stderr is not None
        for line in self.process.stderr:
            self.lines.append(line)

    def address(self) -> str:
        def found() -> list[str]:
            return re.findall(r"(http://\S+)/metrics,", "".join(self.lines))

        wait_until(lambda: bool(found()), "the address is said", timeout_s=60)
        return found()[0]

    def health(self) -> tuple[int, str]:
        return get(f"{self.address()}/healthz")

    def value(self, name: str) -> float:
        """Return the sum of a metric's values over its labels."""
        _, text = get(f"{self.address()}/metrics")
        found = re.findall(rf"^{name}(?:{{[^}}]*}})? (\S+)$", text, flags=re.MULTILINE)
        return sum(float(value) for value in found)

    def end(self) -> None:
        self.process.send_signal(signal.SIGTERM)
        self.process.wait(12)
        self._reader.join(5)


def get(url: str) -> tuple[int, str]:
    try:
        with urllib.request.urlopen(url, timeout=10) as answer:  # noqa: S310 - the test's own sink
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.read().decode()


@contextmanager
def running(data: Path, variables: dict[str, str], *options: str) -> Generator[Sink]:
    arguments = ["sink", "--metrics-port", "0", *options]
    process = subprocess.Popen(
        [*PROGRAM, *arguments], stderr=subprocess.PIPE, text=True, env=environment(data, variables)
    )
    try:
        yield Sink(process)
    finally:
        process.kill()
        process.wait(10)
        assert process.stderr is not None
        process.stderr.close()


def framed(journal: Journal, kind: str) -> list[bytes]:
    return [
        wire.encode(latest("journal_event"), event.flatten())
        for event in journal.events
        if event.kind.startswith(kind)
    ]


def journal() -> Journal:
    return Journal("1" * 32).started("Where is it?").step("look", 1, 2).completed("here")


def test_the_counts_are_those_of_the_log_and_the_sink_is_well(
    kafka: str, topic_prefix: str, tmp_path: Path, variables: dict[str, str]
) -> None:
    assert tailrace("topics", "apply", data=tmp_path, variables=variables).returncode == 0
    append(kafka, RUNS.name(topic_prefix), framed(journal(), "run_"))
    append(kafka, STEPS.name(topic_prefix), [*framed(journal(), "step_"), BAD])
    with running(tmp_path, variables) as sink:
        wait_until(
            # three events, and the dead letter's own row
            lambda: sink.value("tailrace_archive_rows_total") == 4,
            "all is stored",
            timeout_s=60,
            poll_s=0.2,
        )
        wait_until(lambda: sink.value("tailrace_archive_lag_offsets") == 0, "no lag is left")
        assert sink.health() == (200, "ok\n")
        assert sink.value("tailrace_archive_dead_letters_total") == 1
        assert sink.value("tailrace_archive_blocks_total") >= 3
        assert sink.value("tailrace_archive_partitions") > 4
        assert sink.value("tailrace_archive_delay_seconds") == 0
        for link in ("consume", "splice", "insert", "commit"):
            _, text = get(f"{sink.address()}/metrics")
            spent = re.search(rf'link_seconds_total{{link="{link}"}} (\S+)', text)
            assert spent is not None, link
            assert float(spent[1]) > 0, link
        sink.end()
    assert sink.process.returncode == 0


def test_a_broker_that_answers_no_more_makes_it_unwell_and_back_again(
    kafka: str, tmp_path: Path, variables: dict[str, str]
) -> None:
    assert tailrace("topics", "apply", data=tmp_path, variables=variables).returncode == 0
    with kafka_proxy(kafka) as proxy:
        given = {**variables, "TAILRACE_KAFKA": proxy.address}
        with running(tmp_path, given, "--stuck-after", "6") as sink:
            wait_until(
                lambda: sink.value("tailrace_archive_partitions") > 0, "it reads", timeout_s=60
            )
            assert sink.health() == (200, "ok\n")
            proxy.stalled = True
            wait_until(
                lambda: (
                    re.match(r"Kafka has not answered for \d+ s\n", sink.health()[1]) is not None
                ),
                "it says so",
                timeout_s=30,
                poll_s=0.2,
            )
            assert sink.health()[0] == 503
            proxy.stalled = False
            wait_until(
                lambda: sink.health()[0] == 200, "it is well again", timeout_s=60, poll_s=0.2
            )


def test_a_clickhouse_that_answers_no_more_makes_it_unwell(
    kafka: str, topic_prefix: str, tmp_path: Path, variables: dict[str, Any]
) -> None:
    assert tailrace("topics", "apply", data=tmp_path, variables=variables).returncode == 0
    with kafka_proxy(variables["TAILRACE_CLICKHOUSE"].removeprefix("http://")) as proxy:
        given = {**variables, "TAILRACE_CLICKHOUSE": f"http://{proxy.address}"}
        with running(tmp_path, given, "--stuck-after", "6") as sink:
            wait_until(
                lambda: sink.value("tailrace_archive_partitions") > 0, "it reads", timeout_s=60
            )
            proxy.stalled = True
            append(kafka, RUNS.name(topic_prefix), framed(journal(), "run_"))
            wait_until(lambda: sink.health()[0] == 503, "it is unwell", timeout_s=30, poll_s=0.2)
            assert sink.health()[1].startswith("ClickHouse has not answered for ")
            wait_until(lambda: sink.value("tailrace_archive_lag_offsets") == 2, "the lag is told")
            assert sink.value("tailrace_archive_delay_seconds") > 1
