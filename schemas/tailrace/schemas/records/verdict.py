"""The record `verdict`, as it lies on the log."""

from typing import ClassVar

from pydantic import AwareDatetime

from tailrace.schemas.records.base import Record


class Verdict(Record):
    """What a window, an experiment or the guard concluded, with one hash of all its inputs.

    A conclusion that a stranger can recompute from what it names.
    """

    schema_name: ClassVar[str] = "verdict"

    verdict_id: str
    """Identity: hash of the inputs and of what was asked, so that a repetition is the same verdict;
    64 hex digits."""

    kind: str
    """What concluded: window, experiment or guard."""

    outcome: str
    """What was concluded: pass, fail, inconclusive or refused; of the guard also promote and
    roll_back."""

    reason: str = ""
    """Why, in a sentence for people."""

    environment: str = ""
    """The environment; first half of the record's key."""

    component: str
    """The component; second half of the record's key."""

    deployment: str = ""
    """The deployment that was judged: the candidate or canary."""

    baseline: str = ""
    """The deployment that it was compared with; empty when with none."""

    policy: str = ""
    """The policy that asked; empty when none did."""

    experiment: str = ""
    """The experiment that asked; empty when none did."""

    snapshot: str = ""
    """The snapshot compared on; empty when on none."""

    window_start: AwareDatetime | None = None
    """Begin of the window in broker time, inclusive, microseconds since the epoch, UTC; null when
    on no window."""

    window_end: AwareDatetime | None = None
    """End of the window in broker time, exclusive, microseconds since the epoch, UTC; null when on
    no window."""

    scorer: str = ""
    """The scorer whose values were compared."""

    scorer_digest: str = ""
    """Digest of that scorer's code and settings."""

    baseline_value: float | None = None
    """The baseline's estimate; null when there is none."""

    candidate_value: float | None = None
    """The candidate's estimate; null when there is none."""

    difference: float | None = None
    """Candidate minus baseline; null when not compared."""

    interval_low: float | None = None
    """Lower end of the difference's interval; null when not computed."""

    interval_high: float | None = None
    """Upper end of the difference's interval; null when not computed."""

    confidence: float | None = None
    """The interval's level, such as 0.95; null when not computed."""

    p_value: float | None = None
    """Probability of such a difference by chance alone; null when not computed."""

    minimum_effect: float | None = None
    """The difference that the policy cares about; null when it states none."""

    baseline_rows: int = 0
    """Rows of the baseline that entered the comparison."""

    candidate_rows: int = 0
    """Rows of the candidate that entered the comparison."""

    pairs: int = 0
    """Pairs compared; 0 when unpaired."""

    clusters: int = 0
    """Distinct routing keys that the rows were clustered by; 0 when not clustered."""

    drifted_rows: int = 0
    """Rows left out because they do not reproduce themselves."""

    blocked_rows: int = 0
    """Rows left out because a write was blocked."""

    infrastructure_rows: int = 0
    """Rows left out because of a failure that is not the candidate's."""

    forgotten_rows: int = 0
    """Rows of the snapshot that were erased: named holes."""

    method: str = ""
    """The statistical method, such as paired_bootstrap."""

    method_version: str = ""
    """The version of the method's code."""

    seed: int | None = None
    """Seed of the method's randomness; null when it uses none."""

    looks: int = 0
    """How often the evidence had been looked at before, for methods that allow for it."""

    inputs_hash: str
    """SHA-256 of inputs, 64 hex digits."""

    inputs: str = ""
    """Everything that the verdict was computed from, by identity and digest, as canonical JSON."""

    control_offset: int = -1
    """Offset of the control topic as of which it was decided; -1 when routes played no part."""

    tailrace_version: str = ""
    """The version of Tailrace that computed it."""

    actor: str = ""
    """The person or automaton that asked for it."""

    ts: AwareDatetime
    """When it was concluded, microseconds since the epoch, UTC."""
