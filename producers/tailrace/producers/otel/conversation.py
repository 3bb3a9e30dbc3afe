"""Finds what a model was told and what it said, in the attributes and events of a span. Pure.

Every convention is looked for, the newest first, and the first one that is there is taken: two
conventions on one span tell the same thing twice.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tailrace.producers.otel.messages import messages, system
from tailrace.producers.otel.nested import Fields, fields_of, first, items_of, nested, value_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from tailrace.producers.otel.span import SpanData

DETAILS_EVENT = "gen_ai.client.inference.operation.details"
CHOICE_EVENT = "gen_ai.choice"
_SPEAKERS = {
    "gen_ai.system.message": "system",
    "gen_ai.user.message": "user",
    "gen_ai.assistant.message": "assistant",
    "gen_ai.tool.message": "tool",
}
MESSAGE_EVENTS = frozenset(
    {*_SPEAKERS, CHOICE_EVENT, DETAILS_EVENT, "gen_ai.content.prompt", "gen_ai.content.completion"}
)


def told(span: SpanData) -> list[Fields]:
    """Return the messages that a model or an agent was given, instructions first."""
    attributes = _with_details(span)
    instructions = system(first(attributes, "gen_ai.system_instructions"))
    found = (
        messages(value_of(attributes.get("gen_ai.input.messages")) or [])
        or _of_openinference(span, "llm.input_messages")
        or messages(nested(attributes, "gen_ai.prompt"))
        or messages(_texts(nested(attributes, "llm.prompts")))
        or _of_events(span)
        or messages(value_of(_event_value(span, "gen_ai.content.prompt", "gen_ai.prompt")) or [])
        or messages(value_of(attributes.get("gen_ai.prompt")) or [])
        or _of_request(attributes)
    )
    return found if found[:1] == instructions[:1] else instructions + found


def said(span: SpanData) -> list[Fields]:
    """Return what the model or the agent answered: a message for each choice."""
    attributes = _with_details(span)
    return (
        messages(value_of(attributes.get("gen_ai.output.messages")) or [], "assistant")
        or _of_openinference(span, "llm.output_messages")
        or messages(nested(attributes, "gen_ai.completion"), "assistant")
        or messages([_choice(event) for event in _choices(span)], "assistant")
        or messages(_completion_event(span), "assistant")
        or messages(value_of(attributes.get("gen_ai.completion")) or [], "assistant")
        or _of_response(attributes)
    )


def finish_reason(span: SpanData) -> str:
    """Return why the model stopped, as the first answer says it; empty when none says."""
    attributes = _with_details(span)
    stated = items_of(value_of(attributes.get("gen_ai.response.finish_reasons")))
    answers = [
        *items_of(value_of(attributes.get("gen_ai.output.messages"))),
        *nested(attributes, "gen_ai.completion"),
        *_choices(span),
    ]
    stated += [fields_of(answer).get("finish_reason") for answer in answers]
    stated.append(attributes.get("llm.finish_reason"))
    return next((word for word in stated if isinstance(word, str) and word), "")


def _with_details(span: SpanData) -> Mapping[str, Any]:
    """Return the attributes with those of the event that may carry the content in their place."""
    for event in span.events:
        if event.name == DETAILS_EVENT:
            return {**event.attributes, **span.attributes}
    return span.attributes


def _of_openinference(span: SpanData, prefix: str) -> list[Fields]:
    role = "user" if prefix == "llm.input_messages" else "assistant"
    return messages(nested(span.attributes, prefix), role)


def _of_request(attributes: Mapping[str, Any]) -> list[Fields]:
    """Return the messages of the request that OpenInference keeps beside what it tells of it."""
    asked = fields_of(value_of(attributes.get("input.value"), attributes.get("input.mime_type")))
    return system(asked.get("system")) + messages(items_of(asked.get("messages")))


def _of_response(attributes: Mapping[str, Any]) -> list[Fields]:
    given = value_of(attributes.get("output.value"), attributes.get("output.mime_type"))
    answer = fields_of(given)
    if "choices" in answer:
        return messages(items_of(answer["choices"]), "assistant")
    if answer.get("role") == "assistant":
        return messages(answer, "assistant")
    return messages(given, "assistant") if isinstance(given, str) and given else []


def _texts(prompts: list[Any]) -> list[Any]:
    return [fields_of(fields_of(each).get("prompt")).get("text", each) for each in prompts]


def _of_events(span: SpanData) -> list[Fields]:
    found: list[Fields] = []
    for name, attributes in _events(span):
        if name in _SPEAKERS:
            found += messages(_read(attributes), _SPEAKERS[name])
    return found


def _choices(span: SpanData) -> list[Fields]:
    found = [_read(attributes) for name, attributes in _events(span) if name == CHOICE_EVENT]
    return sorted(found, key=lambda choice: str(choice.get("index", "")))


def _choice(event: Fields) -> Fields:
    return fields_of(event.get("message")) or event


def _read(attributes: Mapping[str, Any]) -> Fields:
    """Return an event's attributes with the JSON texts in them read; words stay words."""
    return {
        key: value_of(value) if key in {"message", "tool_calls"} else value
        for key, value in attributes.items()
    }


def _events(span: SpanData) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Yield the span's events, and those that some put into one attribute instead."""
    for event in span.events:
        yield event.name, event.attributes
    for value in items_of(value_of(first(span.attributes, "events", "all_messages_events"))):
        attributes = fields_of(value)
        name = attributes.get("event.name")
        if isinstance(name, str):
            yield name, attributes


def _event_value(span: SpanData, name: str, key: str) -> Any:
    return next((event.attributes.get(key) for event in span.events if event.name == name), None)


def _completion_event(span: SpanData) -> Any:
    return value_of(_event_value(span, "gen_ai.content.completion", "gen_ai.completion")) or []
