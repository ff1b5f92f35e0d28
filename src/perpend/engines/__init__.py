"""Where tokens come from. A new engine is one file here and one line below."""

from perpend.core import Engine, Registry

ENGINES: Registry[Engine] = Registry(
    "engine",
    "perpend.engines",
    {
        "embedded": "perpend.engines.embedded:EmbeddedEngine",
        "openai": "perpend.engines.openai:OpenAIEngine",
        "replay": "perpend.engines.replay:ReplayEngine",
        "simulated": "perpend.engines.simulated:SimulatedEngine",
        "vllm": "perpend.engines.vllm:VllmEngine",
    },
)
