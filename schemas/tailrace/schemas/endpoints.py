"""Where Kafka and ClickHouse are: from the environment, else from the local stack's own record.

The order: an explicit argument, `TAILRACE_KAFKA` or `TAILRACE_CLICKHOUSE`, then `stack.json`, which
`tailrace up` keeps in its data folder (`TAILRACE_DATA`, else `.tailrace/` in this folder or a
parent).
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any, cast

from tailrace.schemas.connection import PREFIX, connection_arguments
from tailrace.schemas.errors import TailraceError

DATA_FOLDER = ".tailrace"
STACK_FILE = "stack.json"
OLD_PREFIX = "TAILRACE_FROM_KAFKA_X".removesuffix("X")


class NoEndpointError(TailraceError):
    """No address was given and no local stack is recorded here."""


def kafka_options(bootstrap: str | None = None) -> dict[str, Any]:
    """Return the connection arguments of every aiokafka client.

    `TAILRACE_KAFKA` holds the bootstrap servers (`host:port,host:port`). Variables
    `TAILRACE_KAFKA_X` are aiokafka's own arguments `x` (see `connection`), so
    `TAILRACE_KAFKA_SECURITY_PROTOCOL=SASL_SSL`, `TAILRACE_KAFKA_SASL_MECHANISM`,
    `TAILRACE_KAFKA_SASL_PLAIN_USERNAME` and `..._PASSWORD` do what aiokafka documents;
    `TAILRACE_KAFKA_SSL_CAFILE`, `_CERTFILE`, `_KEYFILE` build its `ssl_context`.

    Raises:
        NoEndpointError: if no address is known.
        KafkaSettingError: if such a variable is unknown or its value cannot be used.
    """
    options = connection_arguments(os.environ)
    servers = bootstrap or os.environ.get("TAILRACE_KAFKA") or _recorded("kafka")
    if not servers:
        raise NoEndpointError(_missing("Kafka", "TAILRACE_KAFKA=host:port"))
    return {"bootstrap_servers": servers, **options}


def old_kafka_options(bootstrap: str | None = None) -> dict[str, Any]:
    """Return the connection arguments for the broker that a log is moved away from.

    Where it is stands in the argument, else in the local stack's record; `TAILRACE_KAFKA` is where
    everything else goes. How to speak to it is told by variables `TAILRACE_FROM_KAFKA_X`, which
    mean what `TAILRACE_KAFKA_X` means; without one it is spoken to in plain text.

    Raises:
        As `kafka_options` does.
    """
    told = {
        f"{PREFIX}{name.removeprefix(OLD_PREFIX)}": value
        for name, value in os.environ.items()
        if name.startswith(OLD_PREFIX)
    }
    servers = bootstrap or _recorded("kafka")
    if not servers:
        raise NoEndpointError(_missing("the old Kafka", "--from host:port"))
    return {"bootstrap_servers": servers, **connection_arguments(told)}


def clickhouse_url(url: str | None = None) -> str:
    """Return the HTTP address of ClickHouse, e.g. `http://127.0.0.1:8123`, credentials included.

    Raises:
        NoEndpointError: if no address is known.
    """
    found = url or os.environ.get("TAILRACE_CLICKHOUSE") or _recorded("clickhouse")
    if not found:
        raise NoEndpointError(_missing("ClickHouse", "TAILRACE_CLICKHOUSE=http://host:8123"))
    return found


def stack_file() -> Path | None:
    """Return the nearest local stack's record: `TAILRACE_DATA`, else this folder or a parent."""
    told = os.environ.get("TAILRACE_DATA")
    if told:
        path = Path(told) / STACK_FILE
        return path if path.is_file() else None
    here = Path.cwd()
    for folder in (here, *here.parents):
        path = folder / DATA_FOLDER / STACK_FILE
        if path.is_file():
            return path
    return None


def _recorded(key: str) -> str | None:
    path = stack_file()
    if path is None:
        return None
    try:
        record = cast("dict[str, Any]", json.loads(path.read_text(encoding="utf-8")))
    except (OSError, ValueError):
        return None
    value = record.get(key)
    return value if isinstance(value, str) else None


def _missing(server: str, setting: str) -> str:
    return (
        f"no address of {server} is known: start the local stack with `tailrace up`, "
        f"or set {setting} to use a server of your own"
    )
