# Tasks of the house; each is one command that can be typed by hand as well.

default: test lint

# The whole test suite, on its own PostgreSQL.
test *ARGS:
    python -m pytest -n auto {{ARGS}}

lint:
    ruff check .
    ruff format --check .
    mypy
    lint-imports

# Write the tables in docs/ that repeat what the code says, and the schema of mdload.toml.
docs:
    python -m tests.support.doc_tables --write
    python -m tests.support.config_tables

# The docs as a site in .site/, with the command reference; a link that leads nowhere is an error.
site:
    mkdocs build --strict

# Kill loads, servers and disks at random moments for so long; the figures go to crashes.md.
crashes MINUTES="10":
    MDLOAD_CRASH_MINUTES={{MINUTES}} MDLOAD_CRASH_FIGURES=crashes.md python -m pytest tests/ingest/test_crashes_rounds.py -k as_long

# Damage files of every container for so long; the figures are printed at the end.
fuzz MINUTES="60":
    MDLOAD_FUZZ_MINUTES={{MINUTES}} nice python -m pytest -s -n 0 tests/read/test_fuzz.py

# Load the sample into the embedded server and look at what happened.
demo:
    mdload backfill examples/bars.parquet
    mdload job-runs list

# Draw README's picture of mdload report, on made data; needs Chromium.
picture:
    python -m tests.support.made_store --picture docs/images/report.png

# Measure mdload beside what people would use instead; see docs/benchmarks.md.
bench *ARGS:
    python -m benchmarks run {{ARGS}}

# Start the embedded server, and leave it running.
db:
    mdload db start
