"""One load, file by file: read, check, compare, write, count."""
