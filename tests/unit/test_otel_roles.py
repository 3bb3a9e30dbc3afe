"""What a span is, and what tools, retrievers and embeddings tell, in every convention."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tailrace.producers.otel.content import given, returned
from tailrace.producers.otel.model_use import first_item_us
from tailrace.producers.otel.role import role_of
from tailrace.producers.otel.span import SpanData, SpanEvent

if TYPE_CHECKING:
    from collections.abc import Mapping


def span(attributes: Mapping[str, Any], *events: SpanEvent, **fields: int) -> SpanData:
    return SpanData(
        "0af7651916cd43dd8448eb211c80319c",
        "b7ad6b7169203331",
        attributes=attributes,
        events=events,
        **fields,  # pyright: ignore[reportArgumentType] - times alone
    )


@pytest.mark.parametrize(
    "attributes",
    [
        {
            "gen_ai.operation.name": "execute_tool",
            "gen_ai.tool.call.arguments": '{"order_id": "A-17"}',
            "gen_ai.tool.call.result": '{"state": "sent"}',
        },
        {
            "openinference.span.kind": "TOOL",
            "input.value": '{"order_id": "A-17"}',
            "input.mime_type": "application/json",
            "output.value": '{"state": "sent"}',
            "output.mime_type": "application/json",
        },
        {
            "traceloop.span.kind": "tool",
            "traceloop.entity.input": '{"args": [], "kwargs": {"order_id": "A-17"}}',
            "traceloop.entity.output": '{"state": "sent"}',
        },
        {
            "gen_ai.tool.name": "find_order",
            "tool_arguments": '{"order_id": "A-17"}',
            "tool_response": '{"state": "sent"}',
        },
    ],
    ids=["current", "openinference", "traceloop", "pydantic-ai once"],
)
def test_a_tools_arguments_and_result_read_as_those_of_a_step(attributes: dict[str, str]) -> None:
    sample = span(attributes)
    assert role_of(attributes).kind == "tool"
    assert given(sample, "tool") == {"order_id": "A-17"}
    assert returned(sample, "tool") == {"state": "sent"}


def test_a_retriever_tells_its_query_and_documents() -> None:
    sample = span(
        {
            "openinference.span.kind": "RETRIEVER",
            "input.value": "refunds",
            "retrieval.documents.0.document.id": "a1",
            "retrieval.documents.0.document.content": "Refunds take a week.",
            "retrieval.documents.0.document.score": 0.5,
            "retrieval.documents.0.document.metadata": '{"page": 3}',
        }
    )
    assert role_of(sample.attributes).kind == "retrieval"
    assert given(sample, "retrieval") == {"query": "refunds"}
    assert returned(sample, "retrieval") == [
        {
            "id": "a1",
            "content": "Refunds take a week.",
            "score": 0.5,
            "metadata": {"page": 3},
        }
    ]


def test_an_embedding_tells_its_texts_and_no_vectors() -> None:
    sample = span(
        {
            "openinference.span.kind": "EMBEDDING",
            "embedding.embeddings.0.embedding.text": "hello",
            "embedding.embeddings.0.embedding.vector": (0.25, -0.5),
            "output.value": "[0.25, -0.5]",
        }
    )
    assert given(sample, "embedding") == {"input": ["hello"]}
    assert returned(sample, "embedding") is None


@pytest.mark.parametrize(
    "attributes",
    [
        {"gen_ai.operation.name": "invoke_agent"},
        {"gen_ai.operation.name": "invoke_workflow"},
        {"openinference.span.kind": "AGENT"},
        {"traceloop.span.kind": "workflow"},
        {"traceloop.span.kind": "agent"},
        {"gen_ai.agent.name": "support"},
    ],
)
def test_agents_and_workflows_are_runs(attributes: dict[str, str]) -> None:
    role = role_of(attributes)
    assert (role.kind, role.is_run, role.is_ai) == ("agent", True, True)


@pytest.mark.parametrize(
    ("attributes", "kind"),
    [
        ({"gen_ai.operation.name": "text_completion"}, "llm"),
        ({"gen_ai.operation.name": "embeddings"}, "embedding"),
        ({"gen_ai.operation.name": "a_newer_word"}, "a_newer_word"),
        ({"openinference.span.kind": "CHAIN"}, "chain"),
        ({"openinference.span.kind": "GUARDRAIL"}, "guardrail"),
        ({"traceloop.span.kind": "task"}, "task"),
        ({"llm.request.type": "rerank"}, "reranker"),
        ({"gen_ai.request.model": "small-model"}, "llm"),
    ],
)
def test_what_a_span_is_stands_in_its_convention(attributes: dict[str, str], kind: str) -> None:
    role = role_of(attributes)
    assert (role.kind, role.is_run, role.is_ai) == (kind, False, True)


@pytest.mark.parametrize(
    ("attributes", "kind"),
    [({"http.request.method": "GET"}, "http"), ({"db.system": "sqlite"}, "db"), ({}, "span")],
)
def test_other_spans_are_steps_of_no_agent(attributes: dict[str, str], kind: str) -> None:
    role = role_of(attributes)
    assert (role.kind, role.is_run, role.is_ai) == (kind, False, False)


@pytest.mark.parametrize(
    ("attributes", "events"),
    [
        ({"gen_ai.response.time_to_first_chunk": 0.0005}, ()),
        ({}, (SpanEvent("First Token Stream Event", 1_500_000),)),
        (
            {},
            (
                SpanEvent("gen_ai.content.completion.chunk", 1_500_000),
                SpanEvent("gen_ai.content.completion.chunk", 1_700_000),
            ),
        ),
    ],
)
def test_the_time_to_the_first_token_is_read(
    attributes: dict[str, float], events: tuple[SpanEvent, ...]
) -> None:
    sample = span(attributes, *events, start_ns=1_000_000, end_ns=2_000_000)
    assert first_item_us(sample) == 500


@pytest.mark.parametrize(
    ("attributes", "parts", "answer"),
    [
        (
            {
                "input.value": '{"question": "Where?"}',
                "input.mime_type": "application/json",
                "output.value": "Here.",
                "output.mime_type": "text/plain",
            },
            {"question": "Where?"},
            "Here.",
        ),
        (
            {"input.value": "[Where?]", "input.mime_type": "text/plain", "output.value": "[1]"},
            {"input": "[Where?]"},
            [1],
        ),
        (
            {
                "traceloop.entity.input": '{"args": ["Where?"], "kwargs": {}}',
                "traceloop.entity.output": '"Here."',
            },
            {"args": ["Where?"], "kwargs": {}},
            "Here.",
        ),
        (
            {
                "gen_ai.input.messages": '[{"role": "user", "parts": [{"type": "text", '
                '"content": "Where?"}]}]',
                "gen_ai.output.messages": '[{"role": "assistant", "parts": [{"type": "text", '
                '"content": "Here."}]}]',
            },
            {"messages": [{"role": "user", "content": "Where?"}]},
            {"role": "assistant", "content": "Here."},
        ),
        ({}, {}, None),
    ],
    ids=["openinference", "openinference text", "traceloop", "current", "nothing"],
)
def test_agents_tell_what_they_were_given_and_gave_back(
    attributes: dict[str, str], parts: dict[str, Any], answer: Any
) -> None:
    assert given(span(attributes), "agent") == parts
    assert returned(span(attributes), "agent") == answer
