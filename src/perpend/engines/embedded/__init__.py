"""The embedded engine. Nothing here imports OpenVINO: only the worker's process does."""

from perpend.engines.embedded.engine import EmbeddedEngine
from perpend.engines.embedded.fetch import fetch_default_model
from perpend.engines.embedded.protocol import Metrics
from perpend.engines.embedded.weights import Weights, find_weights

__all__ = ["EmbeddedEngine", "Metrics", "Weights", "fetch_default_model", "find_weights"]
