"""What importing the recorder brings into an agent's process: nothing that only a client needs."""

from __future__ import annotations

import json
import subprocess
import sys

HEAVY = {"aiokafka", "aiohttp", "avro", "clickhouse_connect", "pydantic", "opentelemetry"}


def test_importing_it_loads_no_client_of_kafka_and_no_models() -> None:
    code = "import json, sys; import tailrace.producers; print(json.dumps(sorted(sys.modules)))"
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True
    )
    loaded = set(json.loads(done.stdout))
    assert loaded & HEAVY == set()
    assert "tailrace.producers.delivery.sender" not in loaded
    assert not any(name.startswith("tailrace.schemas.records") for name in loaded)
