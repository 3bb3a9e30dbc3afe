"""Keeps the exchange of rebuilt tables apart from a sink that starts at the same moment.

The rebuild raises the fence and then looks whether the group has members; a sink is a member and
then looks whether the fence stands. So one of them sees the other, whatever the order: the rebuild
refuses, or the sink waits until the tables are exchanged.
"""

from __future__ import annotations

import asyncio
from contextlib import contextmanager
from typing import TYPE_CHECKING

from tailrace.schemas.errors import TailraceError
from tailrace.sinks.clickhouse import ask, tell

if TYPE_CHECKING:
    from collections.abc import Generator

    from clickhouse_connect.driver.client import Client

WAIT_S = 30.0
"""How long a sink waits for an exchange, which takes a moment, before it counts as left behind."""

_POLL_S = 0.2
_RAISE = "CREATE TABLE IF NOT EXISTS exchanging (nothing UInt8) ENGINE = TinyLog"
_TAKE_AWAY = "DROP TABLE IF EXISTS exchanging SYNC"
_STANDS = """
SELECT metadata_modification_time AS since FROM system.tables
WHERE database = currentDatabase() AND name = 'exchanging'
"""


class ExchangeLeftError(TailraceError):
    """A rebuild was killed while it exchanged tables, or takes longer than any should."""


@contextmanager
def fence(client: Client) -> Generator[None]:
    """Have sinks that start wait for the length of the block; one left by a kill is taken over."""
    tell(client, _RAISE)
    try:
        yield
    finally:
        tell(client, _TAKE_AWAY)


async def wait_for_exchange(client: Client) -> None:
    """Return once no tables are being exchanged; to be asked by a member of the group.

    Raises:
        ExchangeLeftError: if the fence still stands after WAIT_S.
        QueryFailedError, ClickHouseUnreachableError: if ClickHouse does not answer.
    """
    loop = asyncio.get_running_loop()
    deadline = loop.time() + WAIT_S
    while stands := await asyncio.to_thread(ask, client, _STANDS):
        if loop.time() > deadline:
            raise ExchangeLeftError(
                f"a rebuild has been exchanging tables of {client.database} since "
                f"{stands[0]['since']} UTC: if it still runs, wait for it; if it was killed, run "
                f"`tailrace rebuild` again, or DROP TABLE {client.database}.exchanging if the "
                "tables are as they should be, and start again"
            )
        await asyncio.sleep(_POLL_S)
