"""What a span was given and what it gave back, as the journal's input and output. Pure.

A model call's input is `messages`, and `tools` and `parameters` where they are told; a tool's is
its arguments by name, so that it reads as a step of ours; anything else is what it was.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tailrace.producers.otel.conversation import said, told
from tailrace.producers.otel.messages import messages
from tailrace.producers.otel.nested import Fields, fields_of, first, items_of, nested, value_of
from tailrace.producers.otel.role import EMBEDDING, LLM, RETRIEVAL, TOOL

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tailrace.producers.otel.span import SpanData

MESSAGES = "messages"
"""The part of an input that is a list of messages."""

_REQUEST = "gen_ai.request."
# Who was asked stands in a field of its own.
_NO_PARAMETERS = {"model", "type"}
_TRANSCRIPTS = ("pydantic_ai.all_messages", "all_messages_events")


def given(span: SpanData, kind: str) -> Fields:
    """Return the named parts of what a span was given; empty when it does not say."""
    attributes = span.attributes
    if kind == LLM:
        return _asked(span)
    if kind == TOOL:
        return _arguments(attributes)
    if kind == RETRIEVAL:
        query = first(attributes, "gen_ai.retrieval.query.text", "db.query.text")
        return _named("query", _plain_input(attributes) if query is None else query)
    if kind == EMBEDDING:
        return _named("input", _embedded(attributes))
    heard = told(span)
    if all(message["role"] == "system" for message in heard):
        heard += [message for message in _before_the_answer(attributes) if message not in heard]
    plain = _plain_input(attributes)
    if plain is None and heard:
        return {MESSAGES: heard}
    return fields_of(plain) or _named("input", plain)


def returned(span: SpanData, kind: str) -> Any:
    """Return what a span gave back; None when it does not say."""
    attributes = span.attributes
    if kind == EMBEDDING:
        return None  # vectors: large, and read by nobody
    if kind == RETRIEVAL:
        found = _documents(attributes)
        return _plain_output(attributes) if found is None else found
    if kind == LLM:
        return _one(said(span))
    if kind == TOOL:
        result = first(attributes, "gen_ai.tool.call.result", "tool_response", "gen_ai.tool.output")
        return _plain_output(attributes) if result is None else value_of(result)
    plain = _plain_output(attributes)
    return _one(said(span)) if plain is None else plain


def _asked(span: SpanData) -> Fields:
    attributes = span.attributes
    heard = told(span)
    parts: Fields = {MESSAGES: heard} if heard else _named("input", _plain_input(attributes))
    tools = value_of(attributes.get("gen_ai.tool.definitions"))
    if tools is None:
        tools = [_definition(tool) for tool in nested(attributes, "llm.tools")] or [
            _definition(tool) for tool in nested(attributes, "llm.request.functions")
        ]
    parameters = {
        key[len(_REQUEST) :]: value
        for key, value in sorted(attributes.items())
        if key.startswith(_REQUEST) and key[len(_REQUEST) :] not in _NO_PARAMETERS
    } or {
        key: value
        for key, value in fields_of(value_of(attributes.get("llm.invocation_parameters"))).items()
        if key not in _NO_PARAMETERS
    }
    return parts | ({"tools": tools} if tools else {}) | _named("parameters", parameters or None)


def _definition(tool: Any) -> Any:
    stated = fields_of(fields_of(tool).get("tool")).get("json_schema")
    return tool if stated is None else value_of(stated)


def _arguments(attributes: Mapping[str, Any]) -> Fields:
    stated = first(attributes, "gen_ai.tool.call.arguments", "tool_arguments")
    value = _plain_input(attributes) if stated is None else value_of(stated)
    called = fields_of(value)
    if called.keys() == {"args", "kwargs"}:
        # A decorated function: how it was called.
        if not called["args"]:
            called = fields_of(called["kwargs"])
        value = called
    return called or _named("input", value)


def _plain_input(attributes: Mapping[str, Any]) -> Any:
    return _plain(attributes, "input")


def _plain_output(attributes: Mapping[str, Any]) -> Any:
    found = _plain(attributes, "output")
    return value_of(attributes.get("final_result")) if found is None else found


def _plain(attributes: Mapping[str, Any], which: str) -> Any:
    told = attributes.get(f"{which}.value")
    if told is not None:
        return value_of(told, attributes.get(f"{which}.mime_type"))
    # What Traceloop writes is always JSON, a plain text as well.
    return value_of(attributes.get(f"traceloop.entity.{which}"), "application/json")


def _embedded(attributes: Mapping[str, Any]) -> Any:
    texts = [
        fields_of(fields_of(each).get("embedding")).get("text")
        for each in nested(attributes, "embedding.embeddings")
    ]
    stated = [text for text in texts if text is not None]
    told_so = value_of(attributes.get("gen_ai.input.messages"))
    return stated or told_so or _plain_input(attributes)


def _documents(attributes: Mapping[str, Any]) -> list[Any] | None:
    stated = value_of(attributes.get("gen_ai.retrieval.documents"))
    if isinstance(stated, list):
        return items_of(stated)
    found = [
        {key: value_of(value) for key, value in fields_of(fields_of(each).get("document")).items()}
        for each in nested(attributes, "retrieval.documents")
    ]
    return found or None


def _before_the_answer(attributes: Mapping[str, Any]) -> list[Fields]:
    """Return what an agent was given, from a transcript that also holds what came of it."""
    whole = messages(value_of(first(attributes, *_TRANSCRIPTS)) or [])
    answers = [place for place, each in enumerate(whole) if each["role"] == "assistant"]
    return whole[: answers[0]] if answers else whole


def _named(name: str, value: Any) -> Fields:
    return {} if value is None else {name: value}


def _one(answers: list[Fields]) -> Any:
    return answers[0] if len(answers) == 1 else (answers or None)
