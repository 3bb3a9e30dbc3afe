"""The scripted model behind an OpenAI-compatible endpoint, on loopback, in a thread of its own.

`POST /v1/chat/completions` with messages and tools, as the agent would send it to any provider.
Everything is decided by the request and the seed: the answer, the latency, and which requests fail.
Token counts are made up in a stated way: four tokens for three words, and three a message.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Self

from aiohttp import web

from .script import Message, next_message

if TYPE_CHECKING:
    from types import TracebackType

MODEL = "scripted-1"
START_TIMEOUT_S = 10


@dataclass(frozen=True)
class Script:
    """How the scripted model behaves beside what it says."""

    seed: int = 0
    """Changes which requests fail and how long each takes."""

    error_rate: float = 0.0
    """Share of conversations, 0 to 1, for which the endpoint answers 500, however often asked."""

    latency_ms: tuple[int, int] = (2, 20)
    """Shortest and longest time to think."""


class ModelServer:
    """A running endpoint; `base_url` is what `OPENAI_BASE_URL` would hold."""

    def __init__(self, script: Script | None = None) -> None:
        """Nothing runs until the server is entered."""
        self._script = script or Script()
        self._loop = asyncio.new_event_loop()
        self._started = threading.Event()
        self._thread = threading.Thread(target=self._serve, name="scripted-model", daemon=True)
        self.base_url = ""

    def __enter__(self) -> Self:
        self._thread.start()
        if not self._started.wait(START_TIMEOUT_S) or not self.base_url:
            raise RuntimeError("the scripted model server did not start on loopback")
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        at: TracebackType | None,
    ) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(START_TIMEOUT_S)

    def _serve(self) -> None:
        asyncio.set_event_loop(self._loop)
        app = web.Application()
        app.router.add_post("/v1/chat/completions", self._complete)
        runner = web.AppRunner(app, access_log=None, shutdown_timeout=1)
        try:
            self._loop.run_until_complete(runner.setup())
            site = web.TCPSite(runner, "127.0.0.1", 0)
            self._loop.run_until_complete(site.start())
            host, port = runner.addresses[0][:2]
            self.base_url = f"http://{host}:{port}/v1"
            self._started.set()
            self._loop.run_forever()
        finally:
            self._started.set()
            self._loop.run_until_complete(runner.cleanup())
            self._loop.close()

    async def _complete(self, request: web.Request) -> web.Response:
        try:
            asked: dict[str, Any] = await request.json()
            messages: list[Message] = asked["messages"]
            tools: list[str] = [tool["function"]["name"] for tool in asked.get("tools", ())]
        except (ValueError, KeyError, TypeError, AttributeError):
            return _error(400, "the request is no chat completion: it needs messages and tools")
        chance = _Chance(self._script.seed, messages)
        low, high = self._script.latency_ms
        await asyncio.sleep((low + (high - low) * chance.latency) / 1000)
        if chance.failure < self._script.error_rate:
            return _error(500, "the model is overloaded; this failure is scripted")
        return web.json_response(completion(messages, tools))


class _Chance:
    """Two numbers from 0 to 1 that only the seed and the conversation decide."""

    def __init__(self, seed: int, messages: list[Message]) -> None:
        said = [message.get("content") for message in messages if message["role"] == "user"]
        # Failing is a matter of what was asked, so that asking again fails again.
        self.failure = _fraction(f"{seed}:{said}")
        self.latency = _fraction(f"{seed}:{len(messages)}:{said}")


def _fraction(text: str) -> float:
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:6], "big") / 2**48


def completion(messages: list[Message], tools: list[str]) -> dict[str, Any]:
    """Return the endpoint's answer to a conversation, as OpenAI's API words it."""
    message = next_message(messages, tools)
    digest = hashlib.sha256(json.dumps([messages, message]).encode()).hexdigest()
    for number, wanted in enumerate(message.get("tool_calls", ())):
        wanted["id"] = f"call_{digest[:16]}{number}"
    read, written = tokens(messages), tokens([message])
    return {
        "id": f"chatcmpl-{digest[:24]}",
        "object": "chat.completion",
        "model": MODEL,
        "choices": [
            {
                "index": 0,
                "message": message,
                "finish_reason": "tool_calls" if "tool_calls" in message else "stop",
            }
        ],
        "usage": {
            "prompt_tokens": read,
            "completion_tokens": written,
            "total_tokens": read + written,
        },
    }


def tokens(messages: list[Message]) -> int:
    """Return a plausible count: four tokens for three words, and three for each message."""
    texts = [str(message.get("content") or "") for message in messages]
    texts += [str(one["function"]) for message in messages for one in message.get("tool_calls", ())]
    words = sum(len(text.split()) for text in texts)
    return 3 * len(messages) + (words * 4 + 2) // 3


def _error(status: int, text: str) -> web.Response:
    return web.json_response({"error": {"message": text, "type": "server_error"}}, status=status)
