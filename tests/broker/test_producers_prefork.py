"""A web server that forks its workers from a process with an open client, as gunicorn preloads."""

from __future__ import annotations

import subprocess
import sys

from support.journal import assert_whole, read_events, runs_of

_TIMEOUT_S = 60
_WORKERS = 3
_REQUESTS = 40

_SERVER = """
import asyncio, os, signal, sys
from tailrace.producers import Tailrace, component, step

WORKERS, REQUESTS = int(sys.argv[3]), int(sys.argv[4])

@step
async def work(number):
    await asyncio.sleep(0)
    return number

@component
async def request(number):
    await asyncio.gather(work(number), asyncio.to_thread(str, number))
    return os.getpid()

async def serve(ready):
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    assert set(await asyncio.gather(*(request(n) for n in range(REQUESTS)))) == {os.getpid()}
    os.write(ready, b".")
    await stop.wait()
    await request(-1)

client = Tailrace(sys.argv[1], prefix=sys.argv[2])
client.open()
asyncio.run(request(0))
ready, write = os.pipe()
workers = []
for _ in range(WORKERS):
    pid = os.fork()
    if pid == 0:
        asyncio.run(serve(write))
        sys.exit(0)
    workers.append(pid)
for _ in workers:
    assert os.read(ready, 1) == b"."
for pid in workers:
    os.kill(pid, signal.SIGTERM)
codes = [os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) for pid in workers]
asyncio.run(request(1))
client.close()
print(codes)
"""


def test_every_worker_records_its_own_requests_and_ends_in_time(
    kafka: str, topic_prefix: str
) -> None:
    done = subprocess.run(
        [sys.executable, "-c", _SERVER, kafka, topic_prefix, str(_WORKERS), str(_REQUESTS)],
        check=False,
        capture_output=True,
        text=True,
        timeout=_TIMEOUT_S,
    )
    assert (done.stdout.strip(), done.returncode) == (str([0] * _WORKERS), 0), done.stderr
    events = read_events(kafka, topic_prefix)
    assert_whole(events)
    runs = list(runs_of(events).values())
    assert len(runs) == _WORKERS * (_REQUESTS + 1) + 2
    by_process: dict[str, int] = {}
    for run in runs:
        assert [each["kind"] for each in run] == ["run_started", "step_completed", "run_completed"]
        by_process[run[-1]["output"]] = by_process.get(run[-1]["output"], 0) + 1
    assert sorted(by_process.values()) == [2, *[_REQUESTS + 1] * _WORKERS]
