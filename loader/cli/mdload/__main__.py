"""`python -m mdload` is `mdload`."""

from loader.cli import main

main()
