"""What runs inside the user's agents: the journal of runs and steps, and the way to the log."""

from __future__ import annotations

from tailrace.producers.client import Tailrace
from tailrace.producers.component import component
from tailrace.producers.delivery.outlet import JournalFullError, KafkaUnreachableError
from tailrace.producers.feedback import Feedback, FeedbackError, feedback
from tailrace.producers.options import RunOptionsError, run_options
from tailrace.producers.propagation import extract, inject
from tailrace.producers.recording.kinds import UnsupportedFunctionError
from tailrace.producers.routing.pointer_routes import Routing
from tailrace.producers.routing.route import (
    CodeMismatchError,
    ControlUnknownError,
    NoPointerError,
    RoutingError,
    UnregisteredDeploymentError,
)
from tailrace.producers.run import Config, NoRunError, Run, current_run
from tailrace.producers.step import step
from tailrace.producers.writer import BrokenRunError, JournalWriter, NotAcknowledgedError

__all__ = [
    "BrokenRunError",
    "CodeMismatchError",
    "Config",
    "ControlUnknownError",
    "Feedback",
    "FeedbackError",
    "JournalFullError",
    "JournalWriter",
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
]
