"""Short facts about runs and steps for the title of an entry, the most wanted first."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tailrace.console.report.amounts import cost, count, duration, plural

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime

    from tailrace.console.report.tree import Run, Step

SHORT_ID = 12
"""Digits of an id or digest that are shown where it only has to be recognised."""

_USUAL_ENDINGS = {"", "stop", "end_turn", "tool_calls", "tool_use"}


def run_facts(run: Run, now: datetime) -> tuple[str, ...]:
    """Return outcome, amounts, what the execution is to others, where and when it ran."""
    return tuple(fact for fact in _of_run(run, now) if fact)


def step_facts(step: Step, outcome: str, now: datetime) -> tuple[str, ...]:
    """Return outcome unless ok, amounts, model, effect and key of a step."""
    return tuple(fact for fact in _of_step(step, outcome, now) if fact)


def _of_run(run: Run, now: datetime) -> Iterator[str]:
    fields, end = run.fields, run.end
    yield f"open for {_age(run.began, now)}" if end is None else run.outcome
    if end is not None:
        yield duration(end.duration_us) if end.duration_us is not None else ""
        yield plural(end.run_steps, "step") if end.run_steps is not None else ""
        yield f"{end.run_errors} failed" if end.run_errors else ""
        yield _tokens(end.run_input_tokens, end.run_output_tokens, end.run_cached_tokens)
        yield cost(end.run_cost_usd) if end.run_cost_usd is not None else ""
    yield f"attempt {fields.attempt}" if fields.attempt else ""
    yield f"replay of {fields.replay_of[:SHORT_ID]}" if fields.replay_of else ""
    yield f"retry of {fields.retry_of[:SHORT_ID]}" if fields.retry_of else ""
    yield fields.environment
    yield f"{run.began:%Y-%m-%d %H:%M:%S}Z"
    yield f"deployment {fields.deployment[:SHORT_ID]}" if fields.deployment else ""
    yield "code mismatch" if fields.code_mismatch else ""
    yield f"session {fields.session}" if fields.session else ""
    yield f"tags {', '.join(fields.tags)}" if fields.tags else ""
    yield f"not replayable: {end.not_replayable}" if end is not None and end.not_replayable else ""
    yield f"run {fields.run_id}"


def _of_step(step: Step, outcome: str, now: datetime) -> Iterator[str]:
    seen, end = step.seen, step.end
    if end is None:
        yield "never ended" if outcome == "abandoned" else f"open for {_age(step.began, now)}"
    else:
        yield outcome if outcome != "ok" else ""
        yield duration(end.duration_us) if end.duration_us is not None else ""
        if end.first_item_us is not None:
            yield f"first item {duration(end.first_item_us)}"
        yield _tokens(end.input_tokens, end.output_tokens, end.cached_tokens)
        yield cost(end.cost_usd) if end.cost_usd is not None else ""
        yield end.finish_reason if end.finish_reason not in _USUAL_ENDINGS else ""
    yield seen.model
    yield seen.effect if seen.effect == "write" else ""
    yield seen.step_key


def _tokens(given: int | None, answered: int | None, cached: int | None) -> str:
    if given is None and answered is None:
        return ""
    text = f"{count(given)}→{count(answered)} tokens"
    return f"{text} ({count(cached)} cached)" if cached else text


def _age(since: datetime, now: datetime) -> str:
    return duration(max(int((now - since).total_seconds() * 1_000_000), 0))
