"""The registry over HTTP: routes, content type, errors. What is answered is `answers`'s."""

from __future__ import annotations

import json
import os
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

from aiohttp import web

from tailrace.console.schema_view.answers import Registry, RegistryError
from tailrace.schemas.errors import TailraceError

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Awaitable, Callable

    from tailrace.schemas.schema_book import SchemaBook

CONTENT_TYPE = "application/vnd.schemaregistry.v1+json"
LOOPBACK = "127.0.0.1"
MAX_BODY_BYTES = 256 * 1024
_STOP_S = 2.0


class ViewError(TailraceError):
    """The view cannot listen where it should."""


def make_app(registry: Registry) -> web.Application:
    """Return the application, which reads nothing but the registry."""
    app = web.Application(middlewares=[_errors_as_json], client_max_size=MAX_BODY_BYTES)

    def get(path: str, answer: Callable[..., Any]) -> None:
        async def handle(request: web.Request) -> web.Response:
            return _json(answer(**request.match_info))

        app.router.add_get(path, handle)

    get("/", dict)
    get("/schemas/types", registry.types)
    get("/schemas/ids/{schema_id}", registry.schema)
    get("/schemas/ids/{schema_id}/schema", registry.raw_schema)
    get("/schemas/ids/{schema_id}/versions", registry.versions_of)
    get("/schemas/ids/{schema_id}/subjects", registry.subjects_of)
    get("/subjects", registry.subjects)
    get("/subjects/{subject}/versions", registry.versions)
    get("/subjects/{subject}/versions/{version}", registry.version)
    get("/subjects/{subject}/versions/{version}/schema", registry.raw_version)
    get("/config", registry.config)
    get("/config/{subject}", registry.config)
    get("/mode", registry.mode)
    get("/mode/{subject}", registry.mode)

    async def lookup(request: web.Request) -> web.Response:
        return _json(registry.lookup(request.match_info["subject"], await request.read()))

    app.router.add_post("/subjects/{subject}", lookup)
    return app


@asynccontextmanager
async def serving(
    book: SchemaBook, *, host: str = LOOPBACK, port: int = 0, prefix: str | None = None
) -> AsyncGenerator[str]:
    """Serve the book while the block runs; gives the address. Port 0 takes a free one.

    Raises:
        ViewError: if the port is taken or the host is none of this machine's.
    """
    runner = web.AppRunner(
        make_app(Registry(book, prefix)), access_log=None, shutdown_timeout=_STOP_S
    )
    await runner.setup()
    site = web.TCPSite(runner, host, port)
    try:
        try:
            await site.start()
        except OSError as error:
            # asyncio puts a sentence of its own around the system's words.
            reason = os.strerror(error.errno).lower() if error.errno else str(error)
            raise ViewError(
                f"cannot listen on {host}:{port}: {reason}; "
                "give another --port, or 0 for a free one"
            ) from error
        bound = runner.addresses[0]
        yield f"http://{f'[{bound[0]}]' if ':' in bound[0] else bound[0]}:{bound[1]}"
    finally:
        await runner.cleanup()


@web.middleware
async def _errors_as_json(
    request: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]
) -> web.StreamResponse:
    try:
        return await handler(request)
    except RegistryError as error:
        return _error(error.status, error.code, str(error))
    except web.HTTPMethodNotAllowed as error:
        allowed = ", ".join(sorted(error.allowed_methods))
        message = f"HTTP 405 Method Not Allowed: this registry is read-only, {allowed} may be asked"
        return _error(405, 405, message, {"Allow": allowed})
    except web.HTTPException as error:
        return _error(error.status, error.status, f"HTTP {error.status} {error.reason}")


def _error(
    status: int, code: int, message: str, headers: dict[str, str] | None = None
) -> web.Response:
    return _json({"error_code": code, "message": message}, status, headers)


def _json(value: Any, status: int = 200, headers: dict[str, str] | None = None) -> web.Response:
    body = json.dumps(value, ensure_ascii=False).encode()
    return web.Response(body=body, status=status, content_type=CONTENT_TYPE, headers=headers)
