"""Spans of one trace become the events of an execution, in whatever order they arrive."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from hypothesis import given
from hypothesis import strategies as st

from tailrace.producers.otel import NOT_REPLAYABLE, SpanOptions, SpanStats
from tailrace.producers.otel.execution import Execution
from tailrace.producers.otel.run_state import run_id_of
from tailrace.producers.otel.setting import Setting
from tailrace.producers.otel.span import SpanData, SpanEvent
from tailrace.producers.otel.waiting import WaitingSpans
from tailrace.producers.otel.whole import whole_execution
from tailrace.schemas.events import RunFields, check
from tailrace.schemas.ids import is_id
from tailrace.schemas.payloads import ListChain

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tailrace.schemas.events import Event

TRACE = "0af7651916cd43dd8448eb211c80319c"
OPTIONS = SpanOptions()
AGENT = {"gen_ai.operation.name": "invoke_agent", "gen_ai.agent.name": "support"}
LLM = {"gen_ai.operation.name": "chat", "gen_ai.usage.input_tokens": 10}
TOOL = {"gen_ai.operation.name": "execute_tool", "gen_ai.tool.name": "find_order"}


def span(number: int, parent: int = 0, start: int = 0, end: int = 0, **fields: Any) -> SpanData:
    """Return a span; times in microseconds, 0 is no parent."""
    fields.setdefault("name", f"span {number}")
    fields.setdefault("attributes", LLM)
    return SpanData(
        TRACE,
        f"{number:016x}",
        parent_id=f"{parent:016x}" if parent else "",
        start_ns=1_790_000_000_000_000_000 + start * 1000,
        end_ns=1_790_000_000_000_000_000 + end * 1000,
        **fields,
    )


def events_of(spans: Sequence[SpanData], options: SpanOptions = OPTIONS) -> list[Event]:
    execution = whole_execution(spans, Setting(ListChain(), options))
    return [outgoing.event for outgoing in execution.take()]


def runs_of(events: Sequence[Event]) -> dict[str, list[Event]]:
    runs: dict[str, list[Event]] = {}
    for event in events:
        runs.setdefault(event.run.run_id, []).append(event)
    return runs


def wide(events: Sequence[Event]) -> list[dict[str, Any]]:
    return [event.flatten() for event in events]


def run_of(number: int) -> str:
    return run_id_of(TRACE, f"{number:016x}")


SUPPORT = [
    span(1, 0, 0, 100, attributes=AGENT),
    span(2, 1, 10, 20, name="chat small"),
    span(3, 1, 30, 40, attributes=TOOL, name="execute_tool find_order"),
    span(4, 3, 31, 39, attributes={"http.request.method": "GET"}, name="GET"),
    span(5, 1, 50, 60, attributes=TOOL),
    span(6, 1, 70, 90, name="chat small"),
]


def test_an_agent_is_a_run_and_what_it_calls_are_its_steps() -> None:
    events = wide(events_of(SUPPORT))
    assert [event["kind"] for event in events] == [
        "run_started",
        *["step_completed"] * 5,
        "run_completed",
    ]
    assert [event["seq"] for event in events] == list(range(7))
    assert {event["component"] for event in events} == {"support"}
    assert {event["trace_id"] for event in events} == {TRACE}
    steps = {event["step_id"][-1]: event for event in events[1:-1]}
    assert [(n, steps[n]["step_key"], steps[n]["step_kind"]) for n in sorted(steps)] == [
        ("2", "chat%20small#0", "llm"),
        ("3", "find_order#0", "tool"),
        ("4", "find_order#0/GET#0", "http"),
        ("5", "find_order#1", "tool"),
        ("6", "chat%20small#1", "llm"),
    ]
    assert steps["4"]["parent_step_id"] == steps["3"]["step_id"]
    last = events[-1]
    assert (last["last_seq"], last["run_steps"], last["run_input_tokens"]) == (6, 5, 20)
    assert last["not_replayable"] == NOT_REPLAYABLE


def test_run_ids_are_a_function_of_trace_and_span() -> None:
    assert is_id(run_of(1))
    assert run_of(1) == run_id_of(TRACE, f"{1:016x}") != run_of(2)


def test_an_agent_within_an_agent_is_a_child_run() -> None:
    inner = {"openinference.span.kind": "AGENT", "agent.name": "refunds"}
    events = events_of(
        [
            span(1, 0, 0, 100, attributes=AGENT),
            span(2, 1, 10, 90, attributes=TOOL),
            span(3, 2, 20, 80, attributes=inner),
            span(4, 3, 30, 40),
        ]
    )
    root, child = runs_of(events)[run_of(1)], runs_of(events)[run_of(3)]
    assert wide(root)[-1]["children"] == [run_of(3)]
    run = child[0].run
    assert (run.parent_run_id, run.root_run_id) == (run_of(1), run_of(1))
    assert (run.component, run.caller_step_id) == ("refunds", f"{2:016x}")
    assert [event.seq for event in child] == [0, 1, 2]
    assert [event["step_key"] for event in wide(root)[1:-1]] == ["find_order#0"]


def test_a_trace_in_which_no_agent_or_model_speaks_is_none_of_ours() -> None:
    spans = [span(1, 0, 0, 9, attributes={"http.method": "GET"}), span(2, 1, 1, 8, attributes={})]
    execution = whole_execution(spans, Setting(ListChain()))
    assert (execution.take(), execution.ignored) == ([], True)
    assert len(events_of(spans, SpanOptions(all_traces=True))) == 3


def test_what_happened_before_the_first_model_call_is_kept() -> None:
    events = wide(
        events_of(
            [
                span(1, 0, 0, 100, attributes={"http.method": "POST"}, name="POST /chat"),
                span(2, 1, 10, 20, attributes={"db.system": "sqlite"}, name="load"),
                span(3, 1, 30, 40),
            ]
        )
    )
    assert [event["name"] for event in events] == ["POST /chat", "load", "span 3", "POST /chat"]
    assert events[0]["component"] == "POST /chat"


def test_a_failure_says_type_message_and_stack() -> None:
    told = SpanEvent(
        "exception",
        attributes={
            "exception.type": "openai.RateLimitError",
            "exception.message": "slow down",
            "exception.stacktrace": "Traceback …",
        },
    )
    failed = span(2, 1, 1, 2, failed=True, status_message="told otherwise", events=(told,))
    cancelled = span(
        3,
        1,
        3,
        4,
        failed=True,
        events=(SpanEvent("exception", attributes={"exception.type": "asyncio.CancelledError"}),),
    )
    handled = span(4, 1, 5, 6, events=(told,))
    plain = span(5, 1, 7, 8, failed=True, status_message="no")
    events = wide(
        events_of([span(1, 0, 0, 9, attributes=AGENT), failed, cancelled, handled, plain])
    )
    kinds = [event["kind"] for event in events]
    assert kinds[1:5] == ["step_failed", "step_cancelled", "step_completed", "step_failed"]
    assert (events[1]["error_type"], events[1]["error_message"], events[1]["error_stack"]) == (
        "openai.RateLimitError",
        "slow down",
        "Traceback …",
    )
    assert (events[4]["error_type"], events[4]["error_message"]) == ("error", "no")
    assert events[-1]["run_errors"] == 3


def test_a_failed_root_span_is_a_failed_run() -> None:
    events = wide(events_of([span(1, 0, 0, 9, attributes=AGENT, failed=True)]))
    assert [event["kind"] for event in events] == ["run_started", "run_failed"]


def test_session_tags_and_the_remote_parent_are_told() -> None:
    attributes = {**AGENT, "gen_ai.conversation.id": "c1", "user.id": "ada", "tag.tags": ("a",)}
    root = span(1, 7, 0, 9, attributes=attributes, parent_is_remote=True, trace_state="ot=th:8")
    first, _, last = events_of([root, span(2, 1, 1, 2)])
    assert (first.run.session, first.run.tags) == ("c1", ("a",))
    assert first.run.root_run_id == first.run.run_id
    assert first.run.parent_run_id == ""
    assert first.attributes["otel.remote_parent"] == f"{7:016x}"
    assert (first.attributes["otel.trace_flags"], first.attributes["otel.trace_state"]) == (
        "01",
        "ot=th:8",
    )
    assert last.attributes["user.id"] == "ada"


def test_what_a_model_call_within_a_model_call_used_is_counted_once() -> None:
    """A framework and the client below it may both be instrumented."""
    events = wide(
        events_of(
            [
                span(1, 0, 0, 100, attributes=AGENT),
                span(2, 1, 10, 90),
                span(3, 2, 20, 80, attributes={"http.request.method": "POST"}),
                span(4, 3, 30, 70),
            ]
        )
    )
    assert [event["input_tokens"] for event in events[1:-1]] == [10, None, 10]
    assert events[-1]["run_input_tokens"] == 10


def test_steps_with_the_keys_of_a_named_component_can_be_replayed() -> None:
    options = SpanOptions(replayable_as="parcels")
    events = wide(events_of(SUPPORT, options))
    assert (events[0]["component"], events[-1]["not_replayable"]) == ("parcels", "")
    overlapping = [*SUPPORT, span(7, 1, 55, 65, attributes=TOOL)]
    assert "ran at once" in wide(events_of(overlapping, options))[-1]["not_replayable"]


def test_a_missing_parent_is_said_and_never_passed_over() -> None:
    events = wide(events_of([SUPPORT[0], *SUPPORT[2:], span(8, 99, 15, 16)]))
    assert "1 spans whose parent span is missing" in events[-1]["not_replayable"]
    assert events[-1]["attributes"]["otel.gaps"] == "1 spans whose parent span is missing"
    assert events[-1]["run_steps"] == 5


def test_what_the_sdks_limits_dropped_is_said() -> None:
    events = wide(events_of([SUPPORT[0], span(2, 1, 1, 2, dropped=3)]))
    assert events[1]["attributes"]["otel.dropped_by_limits"] == "3"
    assert "dropped by the SDK's limits" in events[-1]["not_replayable"]


def test_attributes_are_bounded_in_number_and_size() -> None:
    many = {f"my.attribute.{n:03}": "x" * 5000 for n in range(100)}
    told = wide(events_of([span(1, 0, 0, 9, attributes={**AGENT, **many})]))[-1]["attributes"]
    mine = {key: value for key, value in told.items() if key.startswith("my.")}
    assert len(mine) <= 64
    assert max(map(len, mine.values())) < 1100
    assert int(told["otel.attributes_left_out"]) == 100 + len(AGENT) - 64


@st.composite
def traces(draw: st.DrawFn) -> list[SpanData]:
    """Any tree of spans, with times that need not make sense."""
    count = draw(st.integers(1, 9))
    kinds = [LLM, TOOL, AGENT, {}, {"http.method": "GET"}]
    spans = [span(1, 0, 0, draw(st.integers(0, 40)), attributes=draw(st.sampled_from(kinds)))]
    for number in range(2, count + 1):
        start = draw(st.integers(0, 40))
        spans.append(
            span(
                number,
                draw(st.integers(1, number - 1)),
                start,
                start + draw(st.integers(0, 20)),
                name=draw(st.sampled_from(["a", "b"])),
                attributes=draw(st.sampled_from(kinds)),
                failed=draw(st.booleans()),
            )
        )
    return spans


@given(traces(), st.randoms())
def test_any_order_of_arrival_gives_the_same_events(spans: list[SpanData], random: Any) -> None:
    shuffled = spans[1:]
    random.shuffle(shuffled)
    expected = wide(events_of(spans))
    assert wide(events_of([spans[0], *shuffled])) == expected
    # Through the exporter's buffer, in batches, the root anywhere among them.
    waiting = WaitingSpans(OPTIONS, SpanStats())
    arriving = list(spans)
    random.shuffle(arriving)
    handed_out: list[list[SpanData]] = []
    for place, each in enumerate(arriving):
        waiting.add(each, place * 0.01)
        handed_out += waiting.due(place * 0.01)
    handed_out += waiting.due(1000.0)
    (group,) = handed_out
    assert wide(events_of(group)) == expected
    assert (waiting.spans, waiting.size_bytes) == (0, 0)


@given(traces())
def test_every_trace_makes_whole_possible_runs(spans: list[SpanData]) -> None:
    events = events_of(spans, SpanOptions(all_traces=True))
    runs = runs_of(events)
    steps = 0
    for run_id, run in runs.items():
        assert [event.seq for event in run] == list(range(len(run)))
        assert run[0].kind == "run_started"
        last = run[-1].flatten()
        assert last["last_seq"] == len(run) - 1
        assert last["run_steps"] == len(run) - 2
        assert all(check(event) == () for event in run)
        assert len({RunFields.model_dump_json(event.run) for event in run}) == 1
        steps += len(run) - 2
        assert set(last["children"]) == {
            other[0].run.run_id for other in runs.values() if other[0].run.parent_run_id == run_id
        }
        keys = [event.flatten()["step_key"] for event in run[1:-1]]
        assert len(set(keys)) == len(keys)
    assert steps + len(runs) == len(spans)


Happening = tuple[bool, SpanData]
"""Whether the span ends, and the whole span."""


def happening(choices: Sequence[int]) -> list[Happening]:
    """Return an order in which spans can really start and end, as the choices have it."""
    attributes = [LLM, TOOL, AGENT, {}]
    started = {1: (1, 0)}
    whole: dict[int, SpanData] = {}
    order = [(False, 1)]
    for choice in [*choices, *[0] * 100]:
        still_open = [n for n in started if n not in whole]
        if not still_open:
            break
        at = still_open[choice // 2 % len(still_open)]
        if choice % 2 and len(started) < 9:
            started[len(started) + 1] = (len(order) + 1, at)
            order.append((False, len(started)))
        elif all(started[other][1] != at for other in still_open):
            start, parent = started[at]
            said, name = attributes[choice // 7 % 4], "ab"[at % 2]
            whole[at] = span(at, parent, start, len(order) + 1, attributes=said, name=name)
            order.append((True, at))
        elif choice == 0:  # the choices are used up: end what can be ended
            leaf = next(n for n in still_open if all(started[m][1] != n for m in still_open))
            start, parent = started[leaf]
            whole[leaf] = span(leaf, parent, start, len(order) + 1, name="ab"[leaf % 2])
            order.append((True, leaf))
    return [(is_end, whole[number]) for is_end, number in order]


@given(st.lists(st.integers(0, 200), max_size=24).map(happening))
def test_spans_as_they_happen_make_the_journal_of_spans_in_one_batch(
    happened: list[Happening],
) -> None:
    root = happened[0][1]
    live = Execution(root, lambda: root, Setting(ListChain()))
    for is_end, each in happened[1:]:
        if is_end:
            live.end(each)
        else:
            live.start(each, lambda each=each: each)
    assert live.done
    spans = [each for is_end, each in happened if not is_end]
    assert wide([outgoing.event for outgoing in live.take()]) == wide(events_of(spans))
