"""Prometheus metrics of loads and feeds: what is counted, and the ways out of the process."""

from loader.listen.metrics.export import check_ways, exporting, serve
from loader.listen.metrics.run import Metrics

__all__ = ["Metrics", "check_ways", "exporting", "serve"]
