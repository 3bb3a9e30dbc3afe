"""The HTTP application: routes, and a statement's way from a request to its reply."""

from __future__ import annotations

import asyncio
import logging
import uuid
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING

from aiohttp import web

from tailrace.console.local.gateway import access
from tailrace.console.local.gateway.body import Body, check_size, read_form
from tailrace.console.local.gateway.compression import choose_encoder
from tailrace.console.local.gateway.engine import Engine, prepare
from tailrace.console.local.gateway.errors import SYNTAX_ERROR, UNKNOWN, GatewayError, refusal
from tailrace.console.local.gateway.formats import content_type
from tailrace.console.local.gateway.framing import refuse_frames
from tailrace.console.local.gateway.inserting import run_insert
from tailrace.console.local.gateway.lanes import Lane, Lanes
from tailrace.console.local.gateway.proof import FailedInserts
from tailrace.console.local.gateway.reading import reading
from tailrace.console.local.gateway.reply import Reply, error_response
from tailrace.console.local.gateway.request import Ask, parse_arguments, read_ask
from tailrace.console.local.gateway.sandbox import check_words
from tailrace.console.local.gateway.statement import (
    MAX_HEAD_BYTES,
    Insert,
    Read,
    find_insert,
    read_statement,
    words,
)

if TYPE_CHECKING:
    from tailrace.console.local.gateway.options import GatewayOptions

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
_log = logging.getLogger(__name__)
_KILL_S = 2.0
DISPLAY_NAME = "tailrace"


class Gateway:
    """Answers requests with one engine."""

    def __init__(self, engine: Engine, options: GatewayOptions) -> None:
        self._engine = engine
        self._failed_inserts = FailedInserts()
        self._options = options
        self._stopping = False
        self._lanes = Lanes(
            options.max_concurrent,
            max_waiting=options.max_waiting,
            max_wait_s=options.max_wait_s,
        )

    def application(self) -> web.Application:
        """Build the application; it holds no state besides this object."""
        app = web.Application(middlewares=[access.guard(self._options)])
        app.router.add_route("GET", "/ping", _ok)
        app.router.add_route("GET", "/replicas_status", _ok)
        app.router.add_route("*", "/{anything:.*}", self._handle)
        return app

    async def drain(self, timeout_s: float) -> None:
        """Take nothing new, let what runs end in time, then ask the engine to stop the rest."""
        self._stopping = True
        if not await self._lanes.until_idle(timeout_s):
            await asyncio.to_thread(self._engine.kill_all)
            await self._lanes.until_idle(_KILL_S)

    async def settle(self) -> None:
        """Wait shortly for cancelled statements to leave the engine."""
        await self._lanes.until_idle(_KILL_S)

    def close(self) -> None:
        """Close the lanes and the engine."""
        self._lanes.close()
        self._engine.close()

    async def _handle(self, request: web.Request) -> web.StreamResponse:
        headers = {
            "X-ClickHouse-Server-Display-Name": DISPLAY_NAME,
            "X-ClickHouse-Timezone": self._engine.timezone,
        }
        try:
            self._check_open()
            arguments = parse_arguments(request.raw_path.partition("?")[2])
            if request.method == "GET" and not any(name == "query" for name, _ in arguments):
                return await _ok(request)
            if request.content_type == "multipart/form-data":
                arguments += await read_form(request, self._options.max_query_bytes)
            ask = read_ask(arguments, dict(request.headers), fresh_id=str(uuid.uuid4()))
            headers["X-ClickHouse-Query-Id"] = ask.query_id
            refuse_frames(asked=ask.framed_body or ask.framed_result)
            statement, body = await self._statement(request, ask)
            statement = await self._inspect(statement, body)
            return await self._answer(request, ask, statement, body, headers)
        except GatewayError as error:
            return error_response(error, headers)
        except ConnectionError:
            return web.Response(status=499)  # nobody is there to read it
        except Exception:  # noqa: BLE001 - the rim: a defect is logged here and hidden from clients
            _log.exception("a request failed in a way that was not foreseen")
            return error_response(
                refusal(UNKNOWN, "UNKNOWN_EXCEPTION", "The gateway failed; its log says how."),
                headers,
            )

    def _check_open(self) -> None:
        if self._stopping:
            raise refusal(210, "NETWORK_ERROR", "The gateway is stopping.", status=503)

    async def _statement(self, request: web.Request, ask: Ask) -> tuple[Read | Insert, Body]:
        """Read as much of the body as it takes to know the statement: all, or an insert's head."""
        body = Body(request)
        text = bytearray(ask.query + b"\n" if ask.query else b"")
        found = find_insert(bytes(text), ended=False)
        async for piece in body.pieces():
            text += piece
            if found == "more":
                check_size(len(text), MAX_HEAD_BYTES * 2, "statement of the insert")
                found = find_insert(bytes(text), ended=False)
            elif isinstance(found, Insert):
                found = Insert(found.head, found.format, found.data + piece)
            if isinstance(found, Insert):
                return found, body
            check_size(len(text), self._options.max_query_bytes, "query")
        if found == "more":
            found = find_insert(bytes(text), ended=True)
        if isinstance(found, Insert):
            return found, body
        return read_statement(bytes(text)), body

    async def _inspect(self, statement: Read | Insert, body: Body) -> Read | Insert:
        """Refuse what SQL may not reach; VALUES are expressions, so they are read and looked at."""
        if b"\0" in (statement.sql if isinstance(statement, Read) else statement.head):
            # The engine's interface takes texts that end at a zero byte.
            raise refusal(SYNTAX_ERROR, "SYNTAX_ERROR", "The statement has a zero byte in it.")
        if self._options.allow_files:
            return statement
        if isinstance(statement, Read):
            check_words(words(statement.sql))
            return statement
        check_words(words(statement.head))
        if statement.format.lower() != "values":
            return statement
        limit = self._options.max_query_bytes
        data = statement.data + await body.read_all(limit)
        if b"file" in data.lower():
            check_words(words(data))
        return Insert(statement.head, statement.format, data)

    async def _answer(
        self,
        request: web.Request,
        ask: Ask,
        statement: Read | Insert,
        body: Body,
        headers: dict[str, str],
    ) -> web.StreamResponse:
        output = statement.format or ask.default_format
        headers["X-ClickHouse-Format"] = output
        headers["Content-Type"] = content_type(output)
        accepted = request.headers.get("Accept-Encoding", "") if ask.compressed else ""
        reply = Reply(request, headers, choose_encoder(accepted))
        async with self._lanes.take() as lane:
            try:
                await self._run(lane, ask, statement, body=body, reply=reply)
            except GatewayError as error:
                return await reply.fail(error)
            return await reply.finish()

    async def _run(
        self, lane: Lane, ask: Ask, statement: Read | Insert, *, body: Body, reply: Reply
    ) -> None:
        if isinstance(statement, Read) and statement.keeps_state:
            raise refusal(
                48,
                "NOT_IMPLEMENTED",
                "This gateway keeps no sessions, so SET, USE and temporary tables would have no "
                "effect on the next query: give settings and the database with each query.",
            )
        connection = await lane.run(self._engine.connect)
        try:
            settings = dict(ask.settings)
            if reply.request.method in {"GET", "HEAD"} and settings.get("readonly", "0") == "0":
                settings["readonly"] = "2"  # a link that is followed must not write
            if isinstance(statement, Insert):  # chDB binds parameters of reads only
                settings |= {f"param_{name}": value for name, value in ask.params.items()}
            await lane.run(lambda: prepare(connection, settings, ask.database))
            if isinstance(statement, Insert):
                limit = self._options.max_insert_bytes
                await run_insert(
                    lane,
                    connection,
                    statement,
                    failed=self._failed_inserts,
                    body=body,
                    reply=reply,
                    limit=limit,
                )
            else:
                output = statement.format or ask.default_format
                job = reading(
                    lane, self._engine, connection, statement, output=output, params=ask.params
                )
                await job.run(reply)
        finally:
            await lane.run(connection.close)


async def _ok(request: web.Request) -> web.StreamResponse:
    del request
    return web.Response(text="Ok.\n")
