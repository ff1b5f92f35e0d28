"""Scores for samples. A new verifier is one file here and one line below."""

from perpend.core import Registry, Verifier

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
