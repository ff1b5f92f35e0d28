"""The vocabulary. It imports nothing else of perpend; every signature elsewhere is written in these words.

A task's *problems* are rendered to a *prompt*; an engine answers a *request* with *completions*; `Run` makes *samples*
of them, holds them against a *budget*, and books what they cost as *charges*; a verifier gives *scores*; a strategy
returns a *result*. Stored samples become a *pool*, from which strategies are evaluated as *outcomes*.
"""

from perpend.core.budget import Amount, Budget, Reservation, Scope
from perpend.core.charge import Cause, Charge, Charges, ModelShape, Price, Usage
from perpend.core.errors import (
    CallLost,
    ConfigError,
    EngineError,
    PerpendError,
    RequestFailed,
    StoreError,
    TaskError,
    VerifierError,
)
from perpend.core.flight import pool_key
from perpend.core.pool import (
    GREEDY,
    MEASURED,
    SAMPLED,
    Bools,
    Draw,
    Floats,
    Ints,
    Orders,
    Outcomes,
    Pool,
    PoolField,
    Pools,
    Probes,
    Spend,
)
from perpend.core.problem import Problem
from perpend.core.prompt import Message, Prompt, Request, derive_seed, digest
from perpend.core.protocols import (
    Calibrated,
    Caps,
    DrawnFrom,
    Engine,
    Judging,
    Purse,
    Recorder,
    SampleKey,
    Scored,
    Strategy,
    Task,
    Tunable,
    Verifier,
)
from perpend.core.recorder import MemoryRecorder
from perpend.core.registry import Call, Registry, parse_call, split_top_level
from perpend.core.result import Certificate, Result, Score, StopReason
from perpend.core.run import Run, perform
from perpend.core.sample import Completion, Delta, Finish, Generation, Likely, Probe, Sample, Token
from perpend.core.world import Listener, Silent, World

__all__ = [
    "GREEDY",
    "MEASURED",
    "SAMPLED",
    "Amount",
    "Bools",
    "Budget",
    "Calibrated",
    "Call",
    "CallLost",
    "Caps",
    "Cause",
    "Certificate",
    "Charge",
    "Charges",
    "Completion",
    "ConfigError",
    "Delta",
    "Draw",
    "DrawnFrom",
    "Engine",
    "EngineError",
    "Finish",
    "Floats",
    "Generation",
    "Ints",
    "Judging",
    "Likely",
    "Listener",
    "MemoryRecorder",
    "Message",
    "ModelShape",
    "Orders",
    "Outcomes",
    "PerpendError",
    "Pool",
    "PoolField",
    "Pools",
    "Price",
    "Probe",
    "Probes",
    "Problem",
    "Prompt",
    "Purse",
    "Recorder",
    "Registry",
    "Request",
    "RequestFailed",
    "Reservation",
    "Result",
    "Run",
    "Sample",
    "SampleKey",
    "Scope",
    "Score",
    "Scored",
    "Silent",
    "Spend",
    "StopReason",
    "StoreError",
    "Strategy",
    "Task",
    "TaskError",
    "Token",
    "Tunable",
    "Usage",
    "Verifier",
    "VerifierError",
    "World",
    "derive_seed",
    "digest",
    "parse_call",
    "perform",
    "pool_key",
    "split_top_level",
]
