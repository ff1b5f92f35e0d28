"""Scores for samples. A new verifier is one file here and one line below."""

from perpend.core import Registry, Scored, Task, Verifier
from perpend.core.functions import is_function
from perpend.verifiers.recorded import Recorded

VERIFIERS: Registry[Verifier] = Registry(
    "verifier",
    "perpend.verifiers",
    {
        "exact": "perpend.verifiers.exact:Exact",
        "math": "perpend.verifiers.math:Math",
        "check": "perpend.verifiers.check:Check",
        "logprob": "perpend.verifiers.logprob:Logprob",
        "function": "perpend.verifiers.function:Function",
        "simulated": "perpend.verifiers.simulated:Simulated",
    },
)


def resolve_verifier(text: str, task: Task) -> Verifier:
    """The verifier that a string names, for a task: `file.py:function`, one that scored the task's samples before they
    were imported, or one of the registry. Raises ConfigError."""
    if is_function(text):
        path, _, function = text.rpartition(":")
        made: Verifier = VERIFIERS.load("function")(path, function)
        return made
    if isinstance(task, Scored) and text in task.scored_by:
        return Recorded(text, task)
    return VERIFIERS.build(text, task=task)
