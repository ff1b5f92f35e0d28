"""Values to store."""

from perpend.core import Charge, DrawnFrom, Finish, Message, Prompt, Sample, SampleKey, Token, Usage, pool_key

PROMPT = Prompt(messages=(Message("user", "What is 2 + 2?"),), stop=("\n\n",), max_tokens=64)
SOURCE = DrawnFrom("arithmetic", "p1", "small", "sha", PROMPT)
POOL = pool_key(SOURCE)
COST = Charge(Usage(10, 2, 5, 1), calls=1, usd=0.1 + 0.2, flops=3e9, latency_seconds=0.5, device_seconds=None)


def sample(index: int = 0, **changes: object) -> Sample:
    values = {
        "problem": "p1",
        "pool": POOL,
        "index": index,
        "engine": "small",
        "text": "It is 4.",
        "answer": "4",
        "key": "4",
        "finish": Finish.STOP,
        "usage": Usage(10, 2, 5, 1),
        "logprob": -1.1,
        "tokens": (Token(7, -0.1), Token(2**31 - 1, -1.0)),
        "started": 100.25,
        "ended": 100.75,
        "device_seconds": 0.3,
    }
    return Sample(**{**values, **changes})


def key(index: int = 0) -> SampleKey:
    return SampleKey(POOL, index)
