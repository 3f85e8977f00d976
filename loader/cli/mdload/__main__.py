"""`python -m mdload` is `mdload`."""

from runpy import run_module

run_module("loader", run_name="__main__")
