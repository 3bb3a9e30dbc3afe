"""What a span is in a journal: a run or a step, and of which kind, by whatever convention. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

LLM = "llm"
EMBEDDING = "embedding"
TOOL = "tool"
RETRIEVAL = "retrieval"
AGENT = "agent"

MODEL_KINDS = frozenset({LLM, EMBEDDING, "reranker"})
"""Kinds of step that a model does, so that tokens and cost are its own."""


@dataclass(frozen=True, slots=True)
class Role:
    """What a span is."""

    kind: str
    """The kind of step that it is, or would be."""

    is_run: bool = False
    """Whether it is a run of its own below another one: an agent or a workflow."""

    is_ai: bool = True
    """Whether a convention for agents and models says so."""

    @property
    def effect(self) -> str:
        """What such a step does to the world; what is not known may write."""
        return "read" if self.kind in {LLM, EMBEDDING, RETRIEVAL, "reranker"} else "write"


_RUN = Role(AGENT, is_run=True)

# The current and older names of OpenTelemetry's own convention.
_OPERATIONS = {
    "chat": Role(LLM),
    "text_completion": Role(LLM),
    "completion": Role(LLM),
    "generate_content": Role(LLM),
    "embeddings": Role(EMBEDDING),
    "embedding": Role(EMBEDDING),
    "execute_tool": Role(TOOL),
    "retrieval": Role(RETRIEVAL),
    "invoke_agent": _RUN,
    "invoke_workflow": _RUN,
}
_OPENINFERENCE = {
    "LLM": Role(LLM),
    "EMBEDDING": Role(EMBEDDING),
    "TOOL": Role(TOOL),
    "RETRIEVER": Role(RETRIEVAL),
    "AGENT": _RUN,
}
_TRACELOOP = {"workflow": _RUN, "agent": _RUN, "tool": Role(TOOL)}
_TRACELOOP_REQUESTS = {
    "chat": Role(LLM),
    "completion": Role(LLM),
    "embedding": Role(EMBEDDING),
    "rerank": Role("reranker"),
}
_CONVENTIONS: tuple[tuple[str, Mapping[str, Role]], ...] = (
    ("openinference.span.kind", _OPENINFERENCE),
    ("gen_ai.operation.name", _OPERATIONS),
    ("traceloop.span.kind", _TRACELOOP),
    ("llm.request.type", _TRACELOOP_REQUESTS),
)
# Spans that name no operation, told by what only such a span carries; the first that fits.
_SIGNS = (
    ("gen_ai.tool.name", Role(TOOL)),
    ("gen_ai.tool.call.id", Role(TOOL)),
    ("db.vector.query.top_k", Role(RETRIEVAL)),
    ("gen_ai.request.model", Role(LLM)),
    ("llm.model_name", Role(LLM)),
    ("gen_ai.agent.name", _RUN),
)
_OTHERS = (
    ("db.system.name", "db"),
    ("db.system", "db"),
    ("http.request.method", "http"),
    ("http.method", "http"),
    ("rpc.system", "rpc"),
    ("messaging.system", "messaging"),
)
_PLAIN = Role("span", is_ai=False)


def role_of(attributes: Mapping[str, Any]) -> Role:
    """Return what a span with these attributes is; one of no convention is a plain step."""
    for key, roles in _CONVENTIONS:
        word = attributes.get(key)
        if isinstance(word, str) and word:
            # A word that is new to us still says of itself what it is.
            return roles.get(word) or Role(word.lower())
    for key, role in _SIGNS:
        if key in attributes:
            return role
    for key, kind in _OTHERS:
        if key in attributes:
            return Role(kind, is_ai=False)
    return _PLAIN
