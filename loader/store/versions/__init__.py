"""What was known when, and the way back: loads, pins, the past, differences, rollback, prune."""
