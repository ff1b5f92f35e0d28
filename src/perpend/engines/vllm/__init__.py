"""A model served by vLLM on this machine, in a process that starts and ends with the engine.

The `vllm` command is found, and this machine held to be one that it can use (`command`); its *server* runs in a process
group of its own, which a *watcher* ends whatever becomes of perpend; all else is the OpenAI engine's work.
"""

from perpend.engines.vllm.command import usable_command
from perpend.engines.vllm.engine import VllmEngine

__all__ = ["VllmEngine", "usable_command"]
