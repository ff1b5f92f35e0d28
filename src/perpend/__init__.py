"""perpend: test-time compute scaling of LLM reasoning, by measurement."""

__version__ = "0.1.0"
