"""A fake model behind OpenAI's and Anthropic's interfaces on loopback, its replies scripted.

Chat completions, embeddings and messages, whole or streamed; what a reply leaves out is filled in.
"""

from __future__ import annotations

import json
import threading
from collections import deque
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator

MODEL = "small-model-2026"
"""What every reply says it was answered by."""

_OK = 200
INPUT_TOKENS, OUTPUT_TOKENS, CACHED_TOKENS = 41, 7, 16


@dataclass(frozen=True)
class Reply:
    """What the model says next; an error status says nothing."""

    text: str = ""
    tool: str = ""
    """The tool to call instead of speaking."""

    arguments: dict[str, Any] = field(default_factory=dict[str, Any])
    status: int = 200


@dataclass
class ModelEndpoint:
    """A running endpoint: where it is, what it will say, what it was asked."""

    url: str = ""
    replies: deque[Reply] = field(default_factory=deque[Reply])
    """Each answer takes one off the front; without any, it says `Hello.`"""

    asked: list[dict[str, Any]] = field(default_factory=list[dict[str, Any]])
    """The body of each request so far."""

    def say(self, *replies: Reply | str) -> None:
        """Script the next replies."""
        self.replies.extend(Reply(reply) if isinstance(reply, str) else reply for reply in replies)


@contextmanager
def model_endpoint() -> Generator[ModelEndpoint]:
    """Serve on loopback inside the block."""
    endpoint = ModelEndpoint()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            endpoint.asked.append(body)
            _answer(self, endpoint, body)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - its signature
            del format, args

    class Server(ThreadingHTTPServer):
        daemon_threads = True  # a client keeps its connection for the next question

    with Server(("127.0.0.1", 0), Handler) as server:
        endpoint.url = f"http://127.0.0.1:{server.server_address[1]}"
        thread = threading.Thread(target=server.serve_forever, args=(0.02,))
        thread.start()
        try:
            yield endpoint
        finally:
            server.shutdown()
            thread.join()


def _answer(handler: BaseHTTPRequestHandler, endpoint: ModelEndpoint, body: dict[str, Any]) -> None:
    if handler.path.endswith("/embeddings"):
        _send(handler, 200, _embeddings(body))
        return
    reply = endpoint.replies.popleft() if endpoint.replies else Reply("Hello.")
    if reply.status != _OK:
        error = {"message": "the model is out", "type": "server_error", "code": "out"}
        _send(handler, reply.status, {"type": "error", "error": error})
        return
    anthropic = handler.path.endswith("/messages")
    if not body.get("stream"):
        _send(handler, 200, _message(reply) if anthropic else _completion(reply))
        return
    _stream(handler, _message_events(reply) if anthropic else _chunks(reply, body))


def _send(handler: BaseHTTPRequestHandler, status: int, value: dict[str, Any]) -> None:
    content = json.dumps(value).encode()
    handler.send_response(status)
    handler.send_header("Content-Type", "application/json")
    handler.send_header("Content-Length", str(len(content)))
    handler.end_headers()
    handler.wfile.write(content)


def _stream(handler: BaseHTTPRequestHandler, events: Iterator[tuple[str, Any]]) -> None:
    handler.send_response(200)
    handler.send_header("Content-Type", "text/event-stream")
    handler.send_header("Connection", "close")
    handler.end_headers()
    for name, value in events:
        text = value if isinstance(value, str) else json.dumps(value)
        head = f"event: {name}\n" if name else ""
        handler.wfile.write(f"{head}data: {text}\n\n".encode())
    handler.close_connection = True


def _embeddings(body: dict[str, Any]) -> dict[str, Any]:
    given: str | list[str] = body["input"]
    texts = given if isinstance(given, list) else [given]
    return {
        "object": "list",
        "model": MODEL,
        "data": [
            {"object": "embedding", "index": index, "embedding": [0.25, -0.5]}
            for index in range(len(texts))
        ],
        "usage": {"prompt_tokens": INPUT_TOKENS, "total_tokens": INPUT_TOKENS},
    }


def _completion(reply: Reply) -> dict[str, Any]:
    message: dict[str, Any] = {"role": "assistant", "content": reply.text or None}
    if reply.tool:
        message["tool_calls"] = [_tool_call(reply)]
    choice = {"index": 0, "message": message, "finish_reason": _finish(reply)}
    return {**_head("chat.completion"), "choices": [choice], "usage": _usage()}


def _chunks(reply: Reply, body: dict[str, Any]) -> Iterator[tuple[str, Any]]:
    head = _head("chat.completion.chunk")
    deltas: list[dict[str, Any]] = [{"role": "assistant", "content": ""}]
    if reply.tool:
        deltas.append({"tool_calls": [{"index": 0, **_tool_call(reply)}]})
    else:
        deltas += [{"content": word} for word in _words(reply)]
    for delta in deltas:
        yield "", {**head, "choices": [{"index": 0, "delta": delta, "finish_reason": None}]}
    last: dict[str, Any] = {"index": 0, "delta": {}, "finish_reason": _finish(reply)}
    yield "", {**head, "choices": [last]}
    options: dict[str, Any] = body.get("stream_options") or {}
    if options.get("include_usage"):
        yield "", {**head, "choices": [], "usage": _usage()}
    yield "", "[DONE]"


def _head(kind: str) -> dict[str, Any]:
    return {"id": "chatcmpl-1", "object": kind, "created": 1_790_000_000, "model": MODEL}


def _usage() -> dict[str, Any]:
    return {
        "prompt_tokens": INPUT_TOKENS,
        "completion_tokens": OUTPUT_TOKENS,
        "total_tokens": INPUT_TOKENS + OUTPUT_TOKENS,
        "prompt_tokens_details": {"cached_tokens": CACHED_TOKENS},
    }


def _finish(reply: Reply) -> str:
    return "tool_calls" if reply.tool else "stop"


def _tool_call(reply: Reply) -> dict[str, Any]:
    arguments = json.dumps(reply.arguments)
    function = {"name": reply.tool, "arguments": arguments}
    return {"id": "call_1", "type": "function", "function": function}


def _words(reply: Reply) -> list[str]:
    """Return the text as it is streamed: word by word, each with the blank before it."""
    first, *others = reply.text.split(" ")
    return [first, *(f" {word}" for word in others)]


def _message(reply: Reply) -> dict[str, Any]:
    block: dict[str, Any] = {"type": "text", "text": reply.text}
    if reply.tool:
        block = {
            "type": "tool_use",
            "id": "call_1",
            "name": reply.tool,
            "input": reply.arguments,
        }
    return {
        "id": "msg_1",
        "type": "message",
        "role": "assistant",
        "model": MODEL,
        "content": [block],
        "stop_reason": "tool_use" if reply.tool else "end_turn",
        "stop_sequence": None,
        # Anthropic counts what came from its cache apart.
        "usage": {
            "input_tokens": INPUT_TOKENS - CACHED_TOKENS,
            "cache_read_input_tokens": CACHED_TOKENS,
            "cache_creation_input_tokens": 0,
            "output_tokens": OUTPUT_TOKENS,
        },
    }


def _message_events(reply: Reply) -> Iterator[tuple[str, Any]]:
    whole = _message(reply)
    begun: dict[str, Any] = {**whole, "content": [], "stop_reason": None}
    yield "message_start", {"type": "message_start", "message": begun}
    block = {"type": "text", "text": ""}
    yield (
        "content_block_start",
        {"type": "content_block_start", "index": 0, "content_block": block},
    )
    for word in _words(reply):
        delta = {"type": "text_delta", "text": word}
        yield (
            "content_block_delta",
            {"type": "content_block_delta", "index": 0, "delta": delta},
        )
    yield "content_block_stop", {"type": "content_block_stop", "index": 0}
    stopped = {"stop_reason": "end_turn", "stop_sequence": None}
    yield (
        "message_delta",
        {"type": "message_delta", "delta": stopped, "usage": {"output_tokens": OUTPUT_TOKENS}},
    )
    yield "message_stop", {"type": "message_stop"}
