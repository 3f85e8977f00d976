"""Objects in buckets (s3, gs, az) and files on the web, read where they are."""

from loader.objects.find import find, is_url
from loader.objects.path import ObjectPath

__all__ = ["ObjectPath", "find", "is_url"]
