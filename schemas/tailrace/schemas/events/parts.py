"""Groups of fields that several kinds of event have in common.

They are bases of the kinds, never events themselves: what a failed run and a failed step say about
their error is said once, here.
"""

from pydantic import AwareDatetime

from tailrace.schemas.events.base import EventBase


class BeganFields(EventBase):
    """What is known of a run or a step when it begins, and repeated when it ends."""

    name: str = ""
    """The step's or the component's name as the user gave it."""

    definition_digest: str = ""
    """Digest of the step's or component body's code, version and the config keys it read."""

    input_digest: str = ""
    """SHA-256 of the canonical input; what replay matches on."""

    started_at: AwareDatetime | None = None
    """When the step or run began, microseconds since the epoch, UTC; null when not recorded."""

    input: str | None = None
    """The input as JSON, large values replaced by references to bodies; null when there is none."""

    bodies: tuple[str, ...] = ()
    """SHA-256 of every body that the event names; it is complete only when all are stored."""


class EndedFields(BeganFields):
    """What is known of a run or a step once it has ended, however it ended."""

    config_keys: tuple[str, ...] = ()
    """The keys of the deployment's config that were read, in the order of first reading."""

    duration_us: int | None = None
    """How long it took, in microseconds; null when it has not ended or was not recorded."""

    first_item_us: int | None = None
    """From the start to the first item or token, in microseconds; null when nothing was
    streamed."""

    output: str | None = None
    """The output as JSON, large values replaced by references to bodies; null when there is
    none."""


class ErrorFields(EventBase):
    """Why a run or a step did not complete."""

    error_type: str = ""
    """Qualified name of the exception; empty when nothing failed."""

    error_message: str = ""
    """The exception's message; empty when nothing failed."""

    error_stack: str = ""
    """The exception's traceback as text; empty when nothing failed."""


class StepFields(EventBase):
    """Which step an event is about."""

    step_id: str
    """The step that the event is about, unique in its run; empty in run events."""

    parent_step_id: str = ""
    """The step that this step was called in; empty at the top of the run."""

    step_key: str = ""
    """The step's stable name in its run, such as plan#0/search#2."""

    step_kind: str = ""
    """What sort of call the step is: llm, tool, retrieval or another word of the user's."""

    effect: str = ""
    """What the step does to the world: pure, read or write."""

    provider: str = ""
    """Who served the model call, such as openai; empty when not a model call or unknown."""

    model: str = ""
    """The model as the provider names it; empty when not a model call or unknown."""


class ModelUseFields(EventBase):
    """What a model call used."""

    finish_reason: str = ""
    """Why the model stopped, in the provider's word; empty when unknown."""

    input_tokens: int | None = None
    """Tokens read by the model, cached ones included; null when unknown."""

    output_tokens: int | None = None
    """Tokens written by the model; null when unknown."""

    cached_tokens: int | None = None
    """Input tokens served from the provider's cache; null when unknown."""

    cost_usd: float | None = None
    """Cost in US dollars; null when unknown."""


class RunTotals(EventBase):
    """What a run's last event says about the whole run: by it, completeness is proven."""

    last_seq: int | None = None
    """Terminal events only: the seq of this event, so the run has last_seq + 1 events; null
    otherwise."""

    children: tuple[str, ...] = ()
    """Terminal events only: runs that this run started in its process, in order."""

    offers: tuple[str, ...] = ()
    """Terminal events only: offers of this run that other processes may claim, in order."""

    not_replayable: str = ""
    """Terminal events only: why the run cannot be replayed; empty when it can."""

    run_steps: int | None = None
    """Terminal events only: steps that the run finished, children not counted; null otherwise."""

    run_errors: int | None = None
    """Terminal events only: steps of the run that failed; null otherwise."""

    run_input_tokens: int | None = None
    """Terminal events only: sum of input_tokens over the run's steps; null when none is known."""

    run_output_tokens: int | None = None
    """Terminal events only: sum of output_tokens over the run's steps; null when none is known."""

    run_cached_tokens: int | None = None
    """Terminal events only: sum of cached_tokens over the run's steps; null when none is known."""

    run_cost_usd: float | None = None
    """Terminal events only: sum of cost_usd over the run's steps; null when none is known."""
