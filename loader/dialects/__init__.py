"""What the file of a vendor means: its dialect, found by columns, values and names."""
