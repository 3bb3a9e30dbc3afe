"""What each part offers by name: a name that is added or lost is a decision, never an accident."""

from __future__ import annotations

from importlib import import_module

import pytest

from support.repository import SOURCE_ROOTS

PUBLIC: dict[str, set[str]] = {
    "tailrace.schemas": set(),
    "tailrace.producers": {
        "BrokenRunError",
        "CodeMismatchError",
        "Config",
        "ControlUnknownError",
        "JournalFullError",
        "JournalWriter",
        "Feedback",
        "FeedbackError",
        "KafkaUnreachableError",
        "NoPointerError",
        "NoRunError",
        "NotAcknowledgedError",
        "Routing",
        "RoutingError",
        "Run",
        "RunOptionsError",
        "Tailrace",
        "UnregisteredDeploymentError",
        "UnsupportedFunctionError",
        "component",
        "current_run",
        "extract",
        "feedback",
        "inject",
        "run_options",
        "step",
    },
    "tailrace.streams": set(),
    "tailrace.sinks": set(),
    "tailrace.evals": set(),
    "tailrace.console": set(),
}


def test_every_part_is_listed() -> None:
    assert list(PUBLIC) == [f"tailrace.{folder}" for folder in SOURCE_ROOTS]


@pytest.mark.parametrize("part", PUBLIC)
def test_a_part_offers_exactly_the_intended_names(part: str) -> None:
    module = import_module(part)
    assert set(getattr(module, "__all__", ())) == PUBLIC[part]


@pytest.mark.parametrize("part", PUBLIC)
def test_every_name_that_a_part_offers_is_there_and_explained(part: str) -> None:
    module = import_module(part)
    for name in PUBLIC[part]:
        assert getattr(module, name).__doc__, f"{part}.{name} says nothing of itself"
