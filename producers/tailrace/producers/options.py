"""What a caller says about the runs it starts: session, tenant, tags, trace, attempt."""

from __future__ import annotations

import hashlib
import re
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from tailrace.schemas.errors import TailraceError
from tailrace.schemas.ids import is_id

if TYPE_CHECKING:
    from collections.abc import Generator, Sequence


_DEPLOYMENT = re.compile(r"[0-9a-f]{64}")


class RunOptionsError(TailraceError):
    """An option of a run is not what it must be."""


@dataclass(frozen=True, slots=True)
class RunOptions:
    """The options in force; see `run_options`."""

    session: str = ""
    tenant: str = ""
    tags: tuple[str, ...] = ()
    trace_id: str = ""
    routing_key: str = ""
    attempt: int = 0
    routing_hashed: str = ""
    """The hash itself, where another process has made it; it stands above the key."""

    deployment: str = ""
    """The deployment that the caller pinned; empty for the pointer's."""

    control_offset: int = -1
    """The control offset that the execution was routed at elsewhere; -1 where it begins here."""

    environment: str = ""
    """The environment that a dispatched run was routed in; the client's when empty."""

    retry_of: str = ""
    """The root run that a dispatched run does again; empty when it is the first."""

    def routing_hash(self, trace_id: str) -> str:
        """Return the hash of the caller's key, else of the session, else of the trace."""
        if self.routing_hashed:
            return self.routing_hashed
        key = self.routing_key or self.session or trace_id
        return hashlib.sha256(key.encode(errors="replace")).hexdigest()[:32]


OPTIONS: ContextVar[RunOptions] = ContextVar("tailrace_options", default=RunOptions())  # noqa: B039 - frozen


@contextmanager
def run_options(
    *,
    session: str | None = None,
    tenant: str | None = None,
    tags: Sequence[str] = (),
    trace_id: str | None = None,
    routing_key: str | None = None,
    attempt: int | None = None,
    deployment: str | None = None,
) -> Generator[None]:
    """Set options for the root runs that start within the block, and their child runs.

    Blocks nest: what is not given stays as it was, and tags add up. Tasks and threads that inherit
    the context inherit the options.

    Args:
        session: the conversation that the runs belong to.
        tenant: on whose behalf they work.
        tags: free labels.
        trace_id: the trace that the runs are executions of, 32 hex digits; one for each run is
            minted when None.
        routing_key: what a route is chosen by and comparisons are clustered by (it is recorded
            hashed); the session when None, else the trace.
        attempt: number of the attempt at the same task, from 0.
        deployment: the id of the deployment that they run on, whatever the pointer says; it binds
            the components that it is registered for.

    Raises:
        RunOptionsError: if the trace id or the deployment's is none.
    """
    if trace_id is not None and not is_id(trace_id):
        raise RunOptionsError(
            f"trace_id={trace_id!r} is no trace id: it must be 32 lower-case hex digits"
        )
    if deployment is not None and not _DEPLOYMENT.fullmatch(deployment):
        raise RunOptionsError(
            f"deployment={deployment!r} is no deployment's id: it must be 64 lower-case hex "
            "digits, as `tailrace deployments ls --json` shows them"
        )
    before = OPTIONS.get()
    told = {
        "session": session,
        "tenant": tenant,
        "trace_id": trace_id,
        "routing_key": routing_key,
        "attempt": attempt,
        "deployment": deployment,
    }
    changes = {name: value for name, value in told.items() if value is not None}
    merged = (*before.tags, *(tag for tag in tags if tag not in before.tags))
    token = OPTIONS.set(replace(before, tags=merged, **changes))  # pyright: ignore[reportArgumentType] - names and types stand above
    try:
        yield
    finally:
        OPTIONS.reset(token)
