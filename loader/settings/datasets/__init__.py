"""Datasets: tables that the one engine loads, each described as data.

`bars_ohlcv` is the first; the others belong to tenants. Light to import: no Polars, no driver.
"""

from __future__ import annotations

from loader.settings.datasets.dataset import Column, Dataset, Rule, Time
from loader.settings.datasets.known import BARS_OHLCV, TENANT, dataset

__all__ = ["BARS_OHLCV", "TENANT", "Column", "Dataset", "Rule", "Time", "dataset"]
