"""The record `score`, as it lies on the log."""

from typing import ClassVar

from pydantic import AwareDatetime, Field

from tailrace.schemas.records.base import Record


class Score(Record):
    """One score of an execution or a step: by a scorer, a judge, a person or the system itself.

    Exactly one of number, flag, label and error_type says what came out.
    """

    schema_name: ClassVar[str] = "score"

    score_id: str
    """Identity: hash of what was scored and by what, so that a repetition is the same score; 64 hex
    digits."""

    trace_id: str
    """The trace scored."""

    root_run_id: str
    """The root run; (trace_id, root_run_id) is the execution scored."""

    revision: int = 0
    """The revision of the execution that was scored."""

    run_id: str = ""
    """The run that the score is about; empty when about the whole execution."""

    step_id: str = ""
    """The step that the score is about; empty when about more than a step."""

    environment: str = ""
    """The execution's environment; first half of the record's key."""

    component: str
    """The root run's component; second half of the record's key."""

    deployment: str = ""
    """The deployment that routed the execution; empty when none did."""

    code_digest: str = ""
    """Digest of the code that the execution really ran; empty when unknown."""

    routing_key: str = ""
    """The execution's routing key, by which comparisons are clustered; empty when none."""

    replay_of: str = ""
    """The root run that the execution replays; empty when it is no replay."""

    attempt: int = 0
    """The execution's attempt number, from 0."""

    source: str
    """Who scored: scorer, judge, person or system."""

    scorer: str
    """Name of the scorer, such as exact_match or ended_ok."""

    scorer_version: str = ""
    """The scorer's own version; empty when it states none."""

    scorer_digest: str = ""
    """Digest of the scorer's code and settings; empty for a person."""

    name: str = ""
    """Which of several values of one scorer this is; empty when it gives one."""

    number: float | None = None
    """The value as a number; null when it is none."""

    flag: bool | None = None
    """The value as yes or no; null when it is none."""

    label: str | None = None
    """The value as a word; null when it is none."""

    comment: str = ""
    """Why, in words for people; empty when not said."""

    error_type: str = ""
    """Why there is no value: qualified name of the exception; empty when there is one."""

    error_message: str = ""
    """The exception's message; empty when there is a value."""

    actor: str = ""
    """The person or automaton that caused the score; empty when not told."""

    policy: str = ""
    """The online policy that asked for the score; empty when none did."""

    experiment: str = ""
    """The experiment that asked for the score; empty when none did."""

    snapshot: str = ""
    """The snapshot that the execution was taken from; empty when from none."""

    inclusion_probability: float = 1.0
    """Probability with which the policy's sampling chose the execution, over 0, at most 1."""

    content_hash: str = ""
    """Hash of the execution's canonical events that were scored; empty when not taken."""

    judgements: tuple[str, ...] = ()
    """Digests of the judges' replies that the value rests on; empty when none."""

    ts: AwareDatetime
    """When it was scored, microseconds since the epoch, UTC."""

    event_time: AwareDatetime | None = None
    """Broker time at which the execution closed, microseconds since the epoch, UTC; null when
    unknown."""

    duration_us: int | None = None
    """How long scoring took, in microseconds; null when not measured."""

    input_tokens: int | None = None
    """Tokens read by judges for it; null when unknown."""

    output_tokens: int | None = None
    """Tokens written by judges for it; null when unknown."""

    cost_usd: float | None = None
    """Cost of scoring in US dollars; null when unknown."""

    attributes: dict[str, str] = Field(default_factory=dict[str, str])
    """What has no field of its own, as text."""
