"""Who may ask: loopback names only, no foreign web page, and a password if one is set."""

from __future__ import annotations

import base64
import binascii
import hmac
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from aiohttp import web

from tailrace.console.local.gateway.errors import (
    ACCESS_DENIED,
    AUTHENTICATION_FAILED,
    GatewayError,
    refusal,
)
from tailrace.console.local.gateway.options import LOOPBACK, GatewayOptions
from tailrace.console.local.gateway.reply import error_response
from tailrace.console.local.gateway.request import parse_arguments

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from aiohttp.typedefs import Middleware

_OPEN = {"/ping", "/replicas_status"}


def guard(options: GatewayOptions) -> Middleware:
    """Make the middleware that refuses, before anything of a request is read."""

    @web.middleware
    async def check(
        request: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]
    ) -> web.StreamResponse:
        try:
            _check_names(request, allow_remote=options.allow_remote)
            if options.password is not None and request.path not in _OPEN:
                _check_password(request, options.user or "default", options.password)
        except GatewayError as error:
            return error_response(error, {})
        return await handler(request)

    return check


def _check_names(request: web.Request, *, allow_remote: bool) -> None:
    host = _host_of(f"//{request.headers.get('Host', '')}")
    if not allow_remote and host not in LOOPBACK:
        raise refusal(
            ACCESS_DENIED,
            "ACCESS_DENIED",
            "This gateway answers to loopback names only (127.0.0.1, localhost): the Host header "
            "names another. Start it with --allow-remote to change that.",
        )
    origin = request.headers.get("Origin")
    if origin is not None and _host_of(origin) not in {*LOOPBACK, host}:
        raise refusal(
            ACCESS_DENIED, "ACCESS_DENIED", "A web page of another site may not use this gateway."
        )


def _check_password(request: web.Request, user: str, password: str) -> None:
    given_user, given = _credentials(request)
    same_user = hmac.compare_digest(given_user.encode(), user.encode())
    same = hmac.compare_digest(given.encode(), password.encode())
    if not (same_user and same):
        raise refusal(
            AUTHENTICATION_FAILED,
            "AUTHENTICATION_FAILED",
            "Authentication failed: the password is wrong, or there is no such user.",
        )


def _credentials(request: web.Request) -> tuple[str, str]:
    """Return what was given as X-ClickHouse headers, basic authentication, or URL arguments."""
    headers = request.headers
    if "X-ClickHouse-Key" in headers or "X-ClickHouse-User" in headers:
        return headers.get("X-ClickHouse-User", "default"), headers.get("X-ClickHouse-Key", "")
    scheme, _, value = headers.get("Authorization", "").partition(" ")
    if scheme.lower() == "basic":
        try:
            user, _, password = base64.b64decode(value, validate=True).decode().partition(":")
        except (binascii.Error, UnicodeDecodeError):
            return "", ""
        return user, password
    told = dict(parse_arguments(request.raw_path.partition("?")[2]))
    read = {name: told.get(name, b"").decode("utf-8", "replace") for name in ("user", "password")}
    return read["user"] or "default", read["password"]


def _host_of(url: str) -> str:
    try:
        return urlsplit(url).hostname or ""
    except ValueError:
        return ""
