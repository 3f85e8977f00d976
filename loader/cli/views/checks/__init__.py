"""What is shown of rejected rows, of comparisons and of plans."""
