"""Objects in buckets (s3, gs, az) and files on the web, read where they are."""

from __future__ import annotations

import re

from loader.read.objects.path import ObjectPath

__all__ = ["ObjectPath", "is_url"]


def is_url(pattern: str) -> bool:
    """Whether it is to be looked for by `loader.read.objects.find`, which takes long to import."""
    return re.match(r"[a-z][a-z0-9+.-]*://", pattern) is not None
