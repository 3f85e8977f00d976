"""`python -m benchmarks`: generate, run, report."""

from benchmarks.cli import main

if __name__ == "__main__":
    main()
