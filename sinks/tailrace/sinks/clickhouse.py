"""The one place that makes a ClickHouse client, and that turns its errors into sentences.

Every other module here is handed a client. The address comes from the environment or the local
stack (`tailrace.schemas.endpoints`); it may hold credentials, so it is never printed or logged.
"""

from __future__ import annotations

import logging
import os
import re
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, cast
from urllib.parse import unquote, urlsplit

import clickhouse_connect
from clickhouse_connect.driver.exceptions import ClickHouseError, Error, StreamFailureError

from tailrace.schemas.endpoints import clickhouse_url
from tailrace.schemas.errors import TailraceError

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator, Mapping

    from clickhouse_connect.driver.client import Client

DEFAULT_DATABASE = "tailrace"
CONNECT_TIMEOUT_S = 10
REQUEST_TIMEOUT_S = 120
_CHUNK_BYTES = 1 << 20
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,127}")
_UNKNOWN_TABLE, _UNKNOWN_DATABASE = 60, 81
# What goes wrong is told by our exceptions; the client's log is for those who configured logging.
logging.getLogger("clickhouse_connect").addHandler(logging.NullHandler())
_DENIED = {192, 193, 194, 497, 516}


class ClickHouseUnreachableError(TailraceError):
    """Nothing answers at the address of ClickHouse, or it does not let us in."""


class NotMigratedError(TailraceError):
    """The database or a table is not there yet."""


class QueryFailedError(TailraceError):
    """ClickHouse answered a query with an error."""

    def __init__(self, message: str, code: int | None = None) -> None:
        super().__init__(message)
        self.code = code


def database_name(name: str | None = None) -> str:
    """Return the database that everything lies in: the given, `TAILRACE_DATABASE`, or `tailrace`.

    Raises:
        QueryFailedError: if it is no plain identifier.
    """
    found = name or os.environ.get("TAILRACE_DATABASE") or DEFAULT_DATABASE
    if not _NAME.fullmatch(found):
        raise QueryFailedError(
            f"{found!r} is no name for a database: letters, digits and _ only, no digit first"
        )
    return found


def connect(url: str | None = None, database: str | None = None) -> Client:
    """Return a client for the database, which may not exist yet (see `migrations.migrate`).

    It keeps no session, so threads may share it. Blocks for at most CONNECT_TIMEOUT_S.

    Raises:
        NoEndpointError: if no address is known.
        ClickHouseUnreachableError: if nothing answers there or it refuses us.
    """
    address = urlsplit(clickhouse_url(url))
    secure = address.scheme == "https"
    port = address.port or (8443 if secure else 8123)
    where = f"{address.hostname}:{port}"
    with _sentences(where):
        client = cast("Any", clickhouse_connect).get_client(
            host=address.hostname or "127.0.0.1",
            port=port,
            username=unquote(address.username or "") or None,
            password=unquote(address.password or ""),
            secure=secure,
            compress=False,
            connect_timeout=CONNECT_TIMEOUT_S,
            send_receive_timeout=REQUEST_TIMEOUT_S,
            autogenerate_session_id=False,
            tz_mode="aware",
        )
    client.database = database_name(database)
    return cast("Client", client)


def ask(
    client: Client, sql: str, parameters: Mapping[str, Any] | None = None
) -> list[dict[str, Any]]:
    """Return the rows of a query as dictionaries, in the query's own order.

    Args:
        client: from `connect`.
        sql: with `{name:Type}` where a parameter is bound.
        parameters: the values, never formatted into the text.

    Raises:
        NotMigratedError: if a table is not there.
        QueryFailedError: if ClickHouse refuses the query.
        ClickHouseUnreachableError: if nothing answers.
    """
    with _sentences(_where(client)):
        result = _loose(client).query(sql, parameters=dict(parameters or {}))
        return [dict(zip(result.column_names, row, strict=True)) for row in result.result_rows]


def ask_bytes(client: Client, sql: str, parameters: Mapping[str, Any], fmt: str) -> Iterator[bytes]:
    """Yield the answer to a query in one of ClickHouse's own formats, as it arrives.

    Raises:
        As `ask` does, at the first item or later.
    """
    with _sentences(_where(client)):
        stream = _loose(client).raw_stream(sql, parameters=dict(parameters), fmt=fmt)
        try:
            while chunk := stream.read(_CHUNK_BYTES):
                yield chunk
        finally:
            stream.close()


def tell(client: Client, sql: str, parameters: Mapping[str, Any] | None = None) -> None:
    """Run a statement that answers nothing. Raises as `ask` does."""
    with _sentences(_where(client)):
        _loose(client).command(sql, parameters=dict(parameters or {}))


def error_code(error: BaseException) -> int | None:
    """Return ClickHouse's numeric error code, None for an error of the way there."""
    return error.code if isinstance(error, Error) else None


def sentence(error: BaseException) -> str:
    """Return the first line of what ClickHouse said, shortened, without its version."""
    text = str(error).strip().splitlines()
    return (text[0] if text else type(error).__name__)[:400]


def _loose(client: Client) -> Any:
    # clickhouse-connect types its parameters only in part.
    return client


def _where(client: Client) -> str:
    return str(getattr(client, "url", "its address")).split("://")[-1]


@contextmanager
def _sentences(where: str) -> Generator[None]:
    try:
        yield
    except (ClickHouseError, StreamFailureError) as error:
        code = error_code(error)
        if code in (_UNKNOWN_TABLE, _UNKNOWN_DATABASE):
            raise NotMigratedError(
                f"ClickHouse at {where} has no such table or database yet: start `tailrace sink`, "
                f"which creates them ({sentence(error)})"
            ) from error
        if code in _DENIED:
            raise ClickHouseUnreachableError(
                f"ClickHouse at {where} denies access: check the user and password in "
                "TAILRACE_CLICKHOUSE"
            ) from error
        if code is None:
            raise ClickHouseUnreachableError(
                f"no answer from ClickHouse at {where}: is it running? `tailrace up` starts the "
                f"local one, TAILRACE_CLICKHOUSE names another ({type(error).__name__})"
            ) from error
        raise QueryFailedError(
            f"ClickHouse at {where} refused a query (code {code}): {sentence(error)}", code
        ) from error
