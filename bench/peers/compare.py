"""What tracing costs: Tailrace beside five other recorders doing the same, in one run.

A function with 400 B in and 300 B out, 50 calls a trace, 20 traces a second. Each side runs in an
environment of its own (`build/peers`, made from `requirements`), sides take turns, and each sends
to a local endpoint that answers at once; Tailrace to a real broker that acknowledges. What came in
is counted there. `python bench/peers/compare.py`; the first time it installs the peers.
"""

from __future__ import annotations

import argparse
import asyncio
import hashlib
import json
import os
import statistics
import subprocess
import sys
import tempfile
import urllib.request
import uuid
import venv
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from aiokafka import AIOKafkaConsumer, TopicPartition

from tailrace.console.local.kafka import Kafka
from tailrace.schemas.topics import RUNS, STEPS

if TYPE_CHECKING:
    from collections.abc import Generator

HERE = Path(__file__).parent
BUILT = HERE.parent.parent / "build" / "peers"
PEERS = ("opentelemetry", "langfuse", "opik", "mlflow", "laminar")
OURS = "tailrace"
LIMIT_S = 300.0


def python_of(peer: str) -> Path:
    """Return the interpreter of a peer's environment, made now if its pins have changed."""
    if peer == OURS:
        return Path(sys.executable)
    pins = HERE / "requirements" / f"{peer}.txt"
    place = BUILT / f"{peer}-{hashlib.sha256(pins.read_bytes()).hexdigest()[:12]}"
    python = place / "bin" / "python"
    if not (place / "ready").exists():
        print(f"installing {peer} and what it needs into {place}")
        venv.create(place, clear=True, with_pip=True)
        install = (str(python), "-m", "pip", "--disable-pip-version-check", "install")
        subprocess.run([*install, "--quiet", "--no-compile", "-r", str(pins)], check=True)
        (place / "ready").touch()
    return python


def measured(peer: str, python: Path, how: str, runs: int, address: str) -> dict[str, Any]:
    """Run one side once; return its figures and how many spans arrived."""
    prefix = f"peers-{uuid.uuid4().hex[:8]}."
    done = subprocess.run(
        [str(python), str(HERE / f"agent_{peer}.py"), address, how, str(runs), prefix],
        env={**os.environ, "PYTHONPATH": str(HERE)},
        capture_output=True,
        text=True,
        timeout=LIMIT_S,
        check=False,
    )
    lines = [line for line in done.stdout.splitlines() if line.startswith("{")]
    if done.returncode or not lines:
        raise RuntimeError(f"{peer} failed: {done.stderr[-2000:]}")
    told = json.loads(lines[-1])
    told["arrived"] = asyncio.run(on_log(address, prefix)) if peer == OURS else counted(address)
    return told


async def on_log(address: str, prefix: str) -> int:
    """Return how many runs and steps lie on the log: the last events, and the steps'."""
    names = [topic.name(prefix) for topic in (RUNS, STEPS)]
    consumer: Any = AIOKafkaConsumer(*names, bootstrap_servers=address)
    await consumer.start()
    try:
        total = 0
        for topic in (RUNS, STEPS):
            name = topic.name(prefix)
            places = [TopicPartition(name, n) for n in consumer.partitions_for_topic(name) or ()]
            ends = sum((await consumer.end_offsets(places)).values())
            total += ends // 2 if topic is RUNS else ends
        return total
    finally:
        await consumer.stop()


def counted(address: str) -> int:
    """Return how many spans came to the endpoint."""
    with urllib.request.urlopen(f"{address}/counted", timeout=10) as answer:  # noqa: S310 - our own
        told = json.load(answer)
    return int(told.get("spans", 0))


@contextmanager
def endpoint() -> Generator[str]:
    """Run the endpoint in a process of its own; one a measurement, so that its count is exact."""
    server = subprocess.Popen(
        [sys.executable, str(HERE / "endpoint.py")], stdout=subprocess.PIPE, text=True
    )
    try:
        assert server.stdout is not None
        yield f"http://127.0.0.1:{server.stdout.readline().strip()}"
    finally:
        server.kill()
        server.wait()


def compare(names: list[str], told: argparse.Namespace, kafka: str) -> None:
    """Let the sides take turns, and print the table."""
    pythons = {name: python_of(name) for name in names}
    for how in ("sync", "async"):
        found: dict[str, list[dict[str, Any]]] = {name: [] for name in names}
        for turn in range(told.repeats):
            for name in names[turn % len(names) :] + names[: turn % len(names)]:
                if name == OURS:
                    figures = measured(name, pythons[name], how, told.runs, kafka)
                else:
                    with endpoint() as address:
                        figures = measured(name, pythons[name], how, told.runs, address)
                found[name].append(figures)
        report(how, found)


def report(how: str, found: dict[str, list[dict[str, Any]]]) -> None:
    """Print one table: min / median / max over the repeats."""
    load = " ".join(f"{each:.1f}" for each in os.getloadavg())
    print(
        f"\n{how} calls, µs on the caller's thread, CPU ms of the process per 1000 calls; ", end=""
    )
    print(f"load {load} on {os.cpu_count()} cores")
    print(
        f"{'':15}{'median':>22}{'p99':>28}{'CPU':>26}{'made':>9}{'lost':>7}{'/ ours':>8}{'CPU':>6}"
    )
    ours = found[OURS]
    for name, repeats in found.items():
        shown = [
            " / ".join(f"{value:.1f}" for value in spread(repeats, key))
            for key in ("median_us", "p99_us", "cpu_ms_per_1000")
        ]
        made = sum(each["spans"] for each in repeats)
        lost = sum(max(0, each["spans"] - each["arrived"]) for each in repeats)
        ratios = [
            middle(repeats, key) / middle(ours, key) for key in ("median_us", "cpu_ms_per_1000")
        ]
        print(
            f"{name:15}{shown[0]:>22}{shown[1]:>28}{shown[2]:>26}{made:>9}{lost:>7}"
            f"{ratios[0]:>8.1f}{ratios[1]:>6.1f}"
        )


def middle(repeats: list[dict[str, Any]], key: str) -> float:
    """Return the median of a figure."""
    return statistics.median(each[key] for each in repeats)


def spread(repeats: list[dict[str, Any]], key: str) -> tuple[float, float, float]:
    """Return minimum, median and maximum of a figure."""
    values = [each[key] for each in repeats]
    return min(values), statistics.median(values), max(values)


def main() -> None:
    """Compare."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=100, help="traces a measurement")
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--peers", nargs="*", default=list(PEERS), choices=PEERS)
    told = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="tailrace-bench-") as folder:
        kafka = Kafka(Path(folder) / "kafka", Path(folder) / "kafka.log")
        kafka.start()
        try:
            assert kafka.address is not None
            compare([OURS, *told.peers], told, kafka.address)
        finally:
            kafka.stop()


if __name__ == "__main__":
    main()
