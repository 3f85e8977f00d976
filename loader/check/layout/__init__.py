"""What the columns of one file mean: chosen, filled and decided by its first batch."""
