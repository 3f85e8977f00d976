"""Who hears a load: the terminal, the log, Prometheus."""
