"""What an agent at work has at hand: the shop's database and the way to the model.

Set once for a task and everything that it awaits; so the steps' own arguments, which are recorded,
are only what a model or a customer said.
"""

from __future__ import annotations

import os
import tempfile
from contextlib import AsyncExitStack, asynccontextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from .chat_model import ChatModel
from .model_server import MODEL, ModelServer, Script
from .shop import Shop

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

OPENAI_URL = "https://api.openai.com/v1"
OPENAI_MODEL = "gpt-4o-mini"


@dataclass(frozen=True)
class Desk:
    """One desk: many conversations may go on at it at once."""

    shop: Shop
    """Customers, orders, parcels, refunds."""

    model: ChatModel
    """The endpoint that completions come from."""

    model_name: str
    """The model to ask for, unless the deployment's config names one."""

    scripted: bool
    """Whether our scripted model stands in for a real one."""


_current: ContextVar[Desk] = ContextVar("desk")


def desk() -> Desk:
    """Return the desk that this task works at; raises `LookupError` outside `open_desk`."""
    return _current.get()


@asynccontextmanager
async def open_desk(
    script: Script | None = None, *, scripted: bool = False
) -> AsyncGenerator[Desk]:
    """Open a desk with a fresh shop in a temporary folder.

    A model is asked at OPENAI_BASE_URL if a key or that address is set. Without either, or when
    `scripted` asks for it, the scripted model answers, as `script` says.
    """
    key, url = os.environ.get("OPENAI_API_KEY", ""), os.environ.get("OPENAI_BASE_URL", "")
    scripted = scripted or not (key or url)
    async with AsyncExitStack() as held:
        folder = held.enter_context(tempfile.TemporaryDirectory(prefix="support-agent-"))
        shop = held.enter_context(Shop(Path(folder) / "shop.sqlite"))
        if scripted:
            server = held.enter_context(ModelServer(script))
            model = await held.enter_async_context(ChatModel(server.base_url))
            opened = Desk(shop, model, MODEL, scripted=True)
        else:
            model = await held.enter_async_context(ChatModel(url or OPENAI_URL, key))
            name = os.environ.get("SUPPORT_MODEL", OPENAI_MODEL)
            opened = Desk(shop, model, name, scripted=False)
        former = _current.set(opened)
        try:
            yield opened
        finally:
            _current.reset(former)
