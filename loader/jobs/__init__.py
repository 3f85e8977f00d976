"""mdload.toml and its jobs at night: once at a time, retried, in time, all of it recorded."""
