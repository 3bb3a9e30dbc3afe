"""The embedded broker: what it promises to those who start it."""

from __future__ import annotations

import os
import signal
import threading
from pathlib import Path

import pytest

from support.log import append, read_all
from support.stack import address_of, running_kafka
from support.waiting import wait_until
from tailrace.console.local import kafka_format
from tailrace.console.local.class_training import train_if_missing
from tailrace.console.local.kafka import Kafka, KafkaError, Runtime, find_runtime
from tailrace.console.local.kafka_probe import ask_broker
from tailrace.console.local.ports import HOST, free_ports


def test_a_fresh_broker_takes_and_gives_back_a_record(kafka: str, topic_prefix: str) -> None:
    topic = f"{topic_prefix}first"
    append(kafka, topic, [b"one"])
    assert read_all(kafka, topic, count=1) == [b"one"]


def test_a_broker_says_who_it_is_and_a_closed_port_says_nothing(kafka: str) -> None:
    answer = ask_broker(HOST, int(kafka.rpartition(":")[2]), 5)
    assert answer is not None
    assert (answer.brokers, answer.controller_id) == (1, 1)
    assert len(answer.cluster_id) == 22
    assert ask_broker(HOST, free_ports(1)[0], 5) is None


def test_a_broker_listens_on_loopback_alone(kafka: str) -> None:
    # Every listening socket of the kernel's table with the broker's port is bound to 127.0.0.1.
    port = int(kafka.rpartition(":")[2])
    tables = [Path(f"/proc/net/{name}").read_text(encoding="ascii") for name in ("tcp", "tcp6")]
    sockets = [line.split() for table in tables for line in table.splitlines()]
    bound = [fields[1] for fields in sockets if fields[3] == "0A"]
    ours = [address for address in bound if address.endswith(f":{port:04X}")]
    assert ours
    assert all(address.partition(":")[0].endswith("0100007F") for address in ours)


def test_acknowledged_records_outlive_kill_9_and_the_port_stays() -> None:
    values = [str(number).encode() for number in range(200)]
    with running_kafka() as broker:
        before = address_of(broker)
        append(before, "kept", values)
        process = broker.process
        assert process is not None
        os.kill(process.pid, signal.SIGKILL)
        wait_until(broker.ended, "the broker is dead")
        broker.start()
        assert broker.address == before
        assert read_all(before, "kept", count=len(values)) == values


@pytest.fixture
def fresh_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A cache of the test's own, with the jars of the shared one."""
    shared = find_runtime().class_path[0].parent
    cache = tmp_path / "cache"
    cache.mkdir()
    (cache / "jars").symlink_to(shared)
    monkeypatch.setenv("TAILRACE_CACHE", str(cache))
    return cache


@pytest.mark.usefixtures("fresh_cache")
def test_a_class_archive_is_made_once_and_a_damaged_one_breaks_no_start(tmp_path: Path) -> None:
    archive = find_runtime().archive
    assert not archive.exists()
    assert train_if_missing(threading.Event())
    whole = archive.path.read_bytes()
    assert len(whole) > 10 << 20
    assert not train_if_missing(threading.Event())
    broker = Kafka(tmp_path / "kafka", tmp_path / "log")
    for damaged in (whole[:1_000_000], b"not an archive"):
        archive.path.write_bytes(damaged)
        broker.start()
        append(address_of(broker), "works", [b"one"])
        broker.stop()


def test_a_second_folder_is_formatted_without_the_tool_and_is_a_cluster_of_its_own(
    fresh_cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    clusters: set[str] = set()
    written: list[bytes] = []
    run_tool = kafka_format.run_tool
    runs: list[Path] = []

    def noted(folder: Path, runtime: Runtime) -> None:
        runs.append(folder)
        run_tool(folder, runtime)

    monkeypatch.setattr(kafka_format, "run_tool", noted)
    for number in range(3):
        broker = Kafka(tmp_path / f"{number}", tmp_path / "log")
        broker.start()
        append(address_of(broker), "works", [b"one"])
        answer = ask_broker(HOST, int(address_of(broker).rpartition(":")[2]), 5)
        broker.stop()
        assert answer is not None
        clusters.add(answer.cluster_id)
        [kept] = (fresh_cache / "formats").iterdir()
        written.append(kept.read_bytes())
        if number == 1:
            kept.write_bytes(written[1][:-1])  # damaged: it is made again
    assert len(clusters) == 3
    assert [folder.name for folder in runs] == ["0", "2"]
    assert written[0] == written[1] != b""


def test_a_cancelled_training_leaves_nothing(fresh_cache: Path) -> None:
    cancelled = threading.Event()
    made: list[bool] = []
    training = threading.Thread(target=lambda: made.append(train_if_missing(cancelled)))
    training.start()
    wait_until((fresh_cache / "classes" / "lock").exists, "the training has begun")
    cancelled.set()
    training.join(20)
    assert made == [False]
    assert [path.name for path in (fresh_cache / "classes").iterdir()] == ["lock"]


def test_a_broker_that_cannot_start_says_why_and_leaves_no_process(tmp_path: Path) -> None:
    broker = Kafka(tmp_path / "kafka", tmp_path / "log", extra_options=("-XX:+NoSuchOption",))
    with pytest.raises(KafkaError, match="NoSuchOption") as caught:
        broker.start()
    assert str(tmp_path / "log") in str(caught.value)
    assert broker.process is None
