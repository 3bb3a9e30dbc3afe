"""One normal form for chat messages, whatever convention told them. Pure, never raises.

The form is OpenAI's, as the rest of the journal has it: `role`, `content`, `tool_calls` with their
arguments as compact JSON text, `tool_call_id`. Content is a text, or a list of typed parts where it
holds more than one text; what is no text and no call keeps its own shape as a part.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

from tailrace.producers.otel.nested import Fields, fields_of, items_of, value_of
from tailrace.schemas.payloads import dumps

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

_TEXTS = {"text", "input_text", "output_text"}
_REASONING = {"reasoning", "thinking"}


def messages(values: Any, role: str = "user") -> list[Fields]:
    """Return messages in the normal form.

    Args:
        values: a list of messages of any convention, one message, or a text.
        role: whose they are when they do not say.
    """
    several = items_of(values) if isinstance(values, (list, tuple)) else [values]
    return [found for value in several for found in _message(value, role)]


def system(instructions: Any) -> list[Fields]:
    """Return system instructions, a text or a list of parts, as a message; none for none."""
    given = value_of(instructions)
    if not given:
        return []
    return list(_spoken("system", items_of(given) or [given]))


def _message(value: Any, role: str) -> Iterator[Fields]:
    told = fields_of(value)
    told = fields_of(told.get("message")) or told
    if not told:
        yield from _spoken(role, [value])
        return
    speaker = told.get("role")
    role = speaker if isinstance(speaker, str) and speaker else role
    parts = list(_parts(told))
    calls = [_call(call) for call in items_of(value_of(told.get("tool_calls")))]
    legacy = told.get("function_call_name") or fields_of(told.get("function_call")).get("name")
    if legacy:
        arguments = told.get("function_call_arguments_json") or fields_of(
            told.get("function_call")
        ).get("arguments")
        calls.append(_call({"name": legacy, "arguments": arguments}))
    answered = told.get("tool_call_id") or (told.get("id") if role == "tool" else None)
    yield from _spoken(role, parts, calls, answered, told.get("name"))


def _parts(told: Fields) -> Iterable[Any]:
    """Return the parts of a message's content, in the names that its convention has for them."""
    if "parts" in told:
        return items_of(told["parts"])
    if told.get("contents"):
        return [_unwrapped(item) for item in items_of(told["contents"])]
    content = told.get("content")
    if isinstance(content, str) and content.startswith("[{"):
        # Traceloop once wrote typed parts as JSON; any other text is what somebody said.
        read = items_of(value_of(content))
        if read and all("type" in fields_of(part) for part in read):
            return read
    if isinstance(content, list):
        return cast("list[Any]", content)
    if isinstance(content, dict) and "type" not in content:
        return [_text(content)]
    return [] if content is None or content == "" else [content]


def _unwrapped(item: Any) -> Any:
    """Return OpenInference's part without the words that only its keys need."""
    told = fields_of(item)
    inner = fields_of(told.get("message_content"))
    if inner.get("type") == "tool_use":
        return {}  # the same call stands in tool_calls, too
    return inner or item


def _spoken(
    role: str,
    parts: Iterable[Any],
    calls: Iterable[Fields] = (),
    answered: Any = None,
    name: Any = None,
) -> Iterator[Fields]:
    kept: list[Any] = []
    made = list(calls)
    for part in parts:
        told = fields_of(part)
        kind = told.get("type")
        if kind in {"tool_call", "tool_use"}:
            made.append(_call(told))
        elif kind in {"tool_call_response", "tool_result"}:
            yield _answer(told)
        elif told or not isinstance(part, dict):
            kept.append(_part(part))
    if not kept and not made and answered is None and role != "assistant":
        return
    message: Fields = {"role": role, "content": _content(kept)}
    if made:
        message["tool_calls"] = made
    if answered:
        message["tool_call_id"] = str(answered)
    if isinstance(name, str) and name and role != "tool":
        message["name"] = name
    yield message


def _answer(told: Fields) -> Fields:
    """Return a tool's answer, which some conventions hide in a user's message."""
    result = next(
        (told[key] for key in ("response", "result", "content") if told.get(key) is not None), ""
    )
    call_id = told.get("id") or told.get("tool_use_id") or told.get("tool_call_id")
    answer: Fields = {"role": "tool", "content": _text(result)}
    if call_id:
        answer["tool_call_id"] = str(call_id)
    return answer


def _part(part: Any) -> Any:
    told = fields_of(part)
    kind = told.get("type")
    text = told.get("text", told.get("content"))
    if kind in _TEXTS and isinstance(text, str):
        return {"type": "text", "text": text}
    if kind in _REASONING:
        words = text if isinstance(text, str) else told.get("thinking")
        return {"type": "reasoning", "text": _text(words)}
    return part if told else {"type": "text", "text": _text(part)}


def _content(parts: list[Any]) -> Any:
    if not parts:
        return None
    if len(parts) == 1 and parts[0].get("type") == "text":
        return parts[0]["text"]
    return parts


def _call(value: Any) -> Fields:
    told = fields_of(value)
    told = fields_of(told.get("tool_call")) or told
    inner = fields_of(told.get("function")) or told
    arguments = inner.get("arguments", inner.get("input"))
    call: Fields = {"id": str(told["id"])} if told.get("id") else {}
    function = {"name": _text(inner.get("name")), "arguments": arguments_text(arguments)}
    return {**call, "type": "function", "function": function}


def arguments_text(arguments: Any) -> str:
    """Return a call's arguments as compact JSON; a text that is no JSON stays as it is."""
    given = value_of(arguments)
    if isinstance(given, str):
        return given
    return "{}" if given is None else dumps(given).decode()


def _text(value: Any) -> str:
    if isinstance(value, str):
        return value
    return "" if value is None else dumps(value).decode()
