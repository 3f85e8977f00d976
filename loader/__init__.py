"""mdload: brings OHLCV bars into PostgreSQL, exactly, and keeps a record of it."""

from importlib.metadata import version

__version__ = version("mdload")
