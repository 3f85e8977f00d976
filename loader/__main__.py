"""`python -m loader` is `mdload`."""

from loader.cli import main

main()
