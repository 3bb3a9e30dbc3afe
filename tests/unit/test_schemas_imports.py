"""What a user's agent imports stays light: nothing of Kafka comes with a schema or an event."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

LIGHT = ["catalog", "endpoints", "events", "names", "records", "settings", "topics", "wire"]
LOADED = "import json, sys; print(json.dumps(sorted(sys.modules)))"


@pytest.mark.parametrize("module", LIGHT)
def test_importing_it_brings_no_client_library_and_reads_no_schema(module: str) -> None:
    code = f"import tailrace.schemas.{module}; from tailrace.schemas import catalog; {LOADED}"
    code += "; assert catalog.shipped.cache_info().currsize == 0"
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True
    )
    loaded = set(json.loads(done.stdout))
    assert {"aiokafka", "aiohttp", "avro", "clickhouse_connect", "asyncio"} & loaded == set()
