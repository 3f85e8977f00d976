"""Prometheus metrics of loads and feeds: what is counted, and the ways out of the process."""

from loader.listen.metrics.export import exporting, serve
from loader.listen.metrics.run import Metrics

__all__ = ["Metrics", "exporting", "serve"]
