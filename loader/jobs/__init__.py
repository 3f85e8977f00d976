"""mdload.toml and its scheduled jobs: run once at a time, retried, with a deadline, recorded."""
