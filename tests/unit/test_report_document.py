"""A trace's JSON document keeps its shape and holds resolved payloads."""

from __future__ import annotations

import json

from support.traces import TRACE, Journal
from tailrace.console.report.assembly import assemble
from tailrace.console.report.document import document

ROOT, CHILD = "1" * 32, "2" * 32


def test_the_document_has_its_documented_shape() -> None:
    digest = "ab" * 32
    parent = Journal(ROOT, tags=("vip",)).started({"q": 1})
    parent.step("ask", {"text": {"$body": digest}}, "done", step_kind="llm", input_tokens=3)
    parent.step_failed("pay", error_type="ValueError", error_message="no", parent_step_id="ask#0")
    parent.completed("bye", children=(CHILD, "9" * 32), run_cost_usd=0.5)
    child = Journal(CHILD, "expert", root_run_id=ROOT, parent_run_id=ROOT, caller_step_id="ask#0")
    child.started()
    stored = [event for event in (*parent.events, *child.events) if event.seq != 9]
    found = document(TRACE, assemble(stored), {digest: '"a long text"'})
    assert json.loads(json.dumps(found)) == found
    (execution,) = found["executions"]
    assert (found["trace_id"], execution["root_run_id"]) == (TRACE, ROOT)
    root, expert = execution["runs"]
    assert (root["component"], root["outcome"], root["tags"]) == ("support", "ok", ["vip"])
    assert (root["input"], root["output"], root["run_cost_usd"]) == ({"q": 1}, "bye", 0.5)
    assert root["missing_children"] == ["9" * 32]
    assert (expert["parent_run_id"], expert["caller_step_id"]) == (ROOT, "ask#0")
    assert (expert["outcome"], expert["duration_us"], expert["error"]) == ("open", None, None)
    ask, pay = root["steps"]
    assert ask["input"] == {"text": "a long text"}
    assert (ask["step_kind"], ask["input_tokens"], ask["began"][-1]) == ("llm", 3, "Z")
    assert pay["parent_step_id"] == "ask#0"
    assert pay["error"] == {"type": "ValueError", "message": "no", "stack": ""}


def test_what_is_missing_is_listed() -> None:
    journal = Journal(ROOT).started().step("a").step("b", bodies=("cd" * 32,)).completed()
    (execution,) = document(TRACE, assemble(journal.events[2:]), {})["executions"]
    (run,) = execution["runs"]
    assert run["missing_seqs"] == [[0, 1]]
    assert run["missing_bodies"] == ["cd" * 32]
