"""The answers to requests: the first counts, a later one is ignored and counted."""

from __future__ import annotations

from concurrent.futures import Future
from typing import Any

import pytest

from support.log_journal import event
from tailrace.producers.dispatch.answers import (
    Answer,
    Answers,
    AnswerTooLargeError,
    DispatchedRunError,
)

TRACE, REQUEST = "a" * 32, "b" * 32


def last(run_id: str, **fields: Any) -> bytes:
    told = {"kind": "run_completed", "output": '[1,{"$$body":2}]', "last_seq": 1, **fields}
    return event(
        trace_id=TRACE, run_id=run_id, root_run_id=run_id, component="support", deployment="d",
        seq=1, ts=1, attributes={"request_id": REQUEST}, **told,
    )  # fmt: skip


def expecting() -> tuple[Answers, Future[Answer]]:
    answers, answer = Answers({}, ""), Future[Answer]()
    answers.expect(REQUEST, TRACE, answer)
    return answers, answer


def test_the_first_answer_counts_and_later_ones_are_ignored() -> None:
    answers, answer = expecting()
    answers.take(b"no event")
    answers.take(event(trace_id=TRACE, run_id="1" * 32, seq=0, kind="run_started", ts=1))
    assert not answer.done()
    answers.take(last("1" * 32))
    for run_id in ("2" * 32, "3" * 32):
        answers.take(last(run_id, output="[2]"))
    assert answer.result() == Answer([1, {"$body": 2}], TRACE, "1" * 32, "d")
    assert answers.ignored == 2


@pytest.mark.parametrize(
    ("fields", "error", "says"),
    [
        (
            {"kind": "run_failed", "output": None, "error_type": "E", "error_message": "m"},
            DispatchedRunError, "support failed: E: m",
        ),
        ({"kind": "run_cancelled", "output": None}, DispatchedRunError, "support cancelled"),
        ({"output": '{"$body": "' + "c" * 64 + '"}'}, AnswerTooLargeError, "traces show"),
    ],
)  # fmt: skip
def test_what_is_no_value_is_an_error_that_says_where_to_look(
    fields: dict[str, Any], error: type[Exception], says: str
) -> None:
    answers, answer = expecting()
    answers.take(last("1" * 32, **fields))
    with pytest.raises(error, match=says):
        answer.result()
