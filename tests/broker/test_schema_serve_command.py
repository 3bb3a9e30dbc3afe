"""`tailrace schemas serve`: a process of its own that serves and ends when told."""

from __future__ import annotations

import asyncio
import copy
import json
import os
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tailrace.schemas.catalog import Schema, latest, shipped
from tailrace.schemas.schema_log import publish_missing
from tailrace.schemas.topic_admin import apply
from tailrace.schemas.topics import SCHEMAS

if TYPE_CHECKING:
    from collections.abc import Generator

WAIT_S = 30
SERVE = [str(Path(sys.executable).with_name("tailrace")), "schemas", "serve", "--port", "0"]


@contextmanager
def served(folder: Path, **environment: str) -> Generator[tuple[subprocess.Popen[str], str]]:
    names = ("TAILRACE_KAFKA", "TAILRACE_PREFIX", "TAILRACE_DATA")
    inherited = {key: value for key, value in os.environ.items() if key not in names}
    with subprocess.Popen(
        SERVE,
        env=inherited | environment,
        cwd=folder,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        try:
            assert process.stdout is not None
            yield process, process.stdout.readline().strip()
        finally:
            process.kill()


def ask(url: str) -> Any:
    with urllib.request.urlopen(url, timeout=WAIT_S) as answer:  # noqa: S310 - ours
        return json.load(answer)


def said(process: subprocess.Popen[str]) -> str:
    assert process.stderr is not None
    return process.stderr.readline()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_without_a_kafka_it_says_so_serves_what_ships_and_ends_when_told(
    tmp_path: Path, number: signal.Signals
) -> None:
    with served(tmp_path) as (process, address):
        assert "schemas that ship here alone: no address of Kafka" in said(process)
        for schema in shipped().values():
            assert ask(f"{address}/schemas/ids/{schema.id}") == {"schema": schema.text}
        process.send_signal(number)
        assert process.wait(WAIT_S) == 0


def test_with_a_kafka_it_serves_what_newer_producers_published(
    kafka: str, topic_prefix: str, tmp_path: Path
) -> None:
    options = {"bootstrap_servers": kafka}
    asyncio.run(apply([SCHEMAS], prefix=topic_prefix, options=options))
    newer = copy.deepcopy(latest("score").definition) | {"doc": "A newer one."}
    schema = Schema("score", 2, newer)
    with served(tmp_path, TAILRACE_KAFKA=kafka, TAILRACE_PREFIX=topic_prefix) as (process, address):
        assert f"following {topic_prefix}schemas" in said(process)
        asyncio.run(publish_missing([schema], prefix=topic_prefix, options=options))
        assert until_known(f"{address}/schemas/ids/{schema.id}") == {"schema": schema.text}
        found = ask(f"{address}/subjects/{topic_prefix}scores-value/versions/latest")
        assert (found["id"], found["version"]) == (schema.id, 2)


def until_known(url: str) -> Any:
    deadline = time.monotonic() + WAIT_S
    while time.monotonic() < deadline:
        try:
            return ask(url)
        except urllib.error.HTTPError as error:
            error.close()
    return None
