"""The one difference between a single node's tables and a cluster's: engines that replicate.

The numbered SQL is written for a single node. In a database of the engine `Replicated`, which runs
each CREATE on all its replicas, the same text creates tables that share their parts and their
insert tokens through the cluster's keeper. How a cluster is meant to be laid out is told in
design/017-speed.md.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from tailrace.sinks.clickhouse import ask

if TYPE_CHECKING:
    from clickhouse_connect.driver.client import Client

_ENGINE = re.compile(r"^ENGINE = (?=\w*MergeTree\b)", re.MULTILINE)
_WINDOW = re.compile(r"^(\s+)non_replicated_deduplication_window\b", re.MULTILINE)
_DATABASE = "SELECT engine FROM system.databases WHERE name = currentDatabase()"


def is_replicated(client: Client) -> bool:
    """Return whether the client's database runs its statements on all replicas.

    Raises:
        QueryFailedError, ClickHouseUnreachableError: if ClickHouse does not answer the question.
    """
    return [str(row["engine"]) for row in ask(client, _DATABASE)] == ["Replicated"]


def replicated(sql: str) -> str:
    """Return the statement with the engine and the token window that replicas share.

    Where the parts lie in the keeper is left to the server's defaults, as a database of the engine
    `Replicated` demands. Statements that create no table of ours stay as they are.
    """
    return _WINDOW.sub(
        r"\1replicated_deduplication_window", _ENGINE.sub(r"ENGINE = Replicated", sql)
    )
