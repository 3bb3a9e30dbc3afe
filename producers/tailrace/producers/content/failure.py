"""How something ended, and what an event says of an exception: type, message and stack, bounded."""

from __future__ import annotations

import asyncio
import traceback
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tailrace.producers.redaction import Redaction

MAX_TEXT = 16 * 1024
"""Characters kept of a message and of a stack."""


def outcome(error: BaseException | None) -> str:
    """Return how it ended: completed, failed or cancelled."""
    if error is None:
        return "completed"
    return "cancelled" if isinstance(error, asyncio.CancelledError) else "failed"


def failure_fields(
    error: BaseException | None, redaction: Redaction | None = None
) -> dict[str, Any]:
    """Return the error fields of an event, redacted; none for no error. Never raises."""
    if error is None:
        return {}
    kind = type(error)
    name = kind.__qualname__
    if kind.__module__ not in {"builtins", "__main__"}:
        name = f"{kind.__module__}.{name}"
    texts = {"error_message": _message(error), "error_stack": _stack(error)}
    if redaction is not None:
        # Before anything is cut: half a secret is still one, and no rule would know it.
        texts = {field: redaction.text(field, text) for field, text in texts.items()}
    return {"error_type": name, **{field: _bounded(text) for field, text in texts.items()}}


def _message(error: BaseException) -> str:
    try:
        return str(error)
    except Exception:  # noqa: BLE001 - the user's class may fail here
        return "<a message that cannot be shown>"


def _stack(error: BaseException) -> str:
    try:
        return "".join(traceback.format_exception(error))
    except Exception:  # noqa: BLE001 - as above
        return "<a stack that cannot be shown>"


def _bounded(text: str) -> str:
    """Keep the beginning and, where the cause stands, the longer end."""
    if len(text) <= MAX_TEXT:
        return text
    head = MAX_TEXT // 4
    return (
        f"{text[:head]}\n… {len(text) - MAX_TEXT} characters left out …\n{text[head - MAX_TEXT :]}"
    )
