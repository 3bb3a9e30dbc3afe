"""What every event of a run carries: the fields that do not change while the run runs."""

from pydantic import BaseModel, ConfigDict


class RunFields(BaseModel):
    """The run-constant fields of the wide event, in the order of its datum."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)

    trace_id: str
    """What pairs executions of the same work: 32 hex digits, a W3C trace id, stable across replays
    and retries."""

    run_id: str
    """This run: one execution of one component, 32 hex digits."""

    root_run_id: str
    """The root run of the execution; equal to run_id in a root run."""

    parent_run_id: str = ""
    """The run that started this one; empty in a root run."""

    caller_step_id: str = ""
    """The step of the parent run in which this run was started; empty in a root run or outside any
    step."""

    offer: str = ""
    """The offer that this run claims, when it was started across a process border; empty
    otherwise."""

    component: str
    """The component that runs."""

    deployment: str = ""
    """The deployment that routed the run: SHA-256 of its manifest, 64 hex digits; empty when none
    did."""

    code_digest: str = ""
    """Digest of the code that really ran; empty when unknown."""

    code_mismatch: bool = False
    """Whether the loaded code differs from the deployment's manifest."""

    environment: str = ""
    """The environment whose pointer routed the run, such as dev or prod."""

    control_offset: int = -1
    """Offset on the control topic as of which the run was routed; -1 when no control event did."""

    routing_key: str = ""
    """Hash of the key that the route was chosen by, and the clustering unit of comparisons; empty
    when none."""

    tenant: str = ""
    """The tenant on whose behalf the run works; empty when none."""

    session: str = ""
    """The session or conversation the run belongs to; empty when none."""

    tags: tuple[str, ...] = ()
    """Free labels given by the caller, in the order given."""

    replay_of: str = ""
    """The root run that this execution replays; empty when it is no replay."""

    retry_of: str = ""
    """The root run that this execution retries; empty when it is no retry."""

    attempt: int = 0
    """Number of the recorded attempt at the same task, from 0."""
