"""Any server that speaks the OpenAI protocol: vLLM, SGLang, llama-server, hosted APIs.

A request becomes a *body* (`body`), waits for its turn at a *replica* (`replicas`, `limiter`), is sent (`transport`,
bounded by a `leash`), and its *reply* (`wire`, `stream`) is held to be sound before it becomes completions
(`replies`). What goes wrong is a *failure* of one of four kinds (`failures`), and `calls` decides what follows from it.
What the server can do is probed once (`probe`, `abilities`).
"""

from perpend.engines.openai.engine import OpenAIEngine

__all__ = ["OpenAIEngine"]
