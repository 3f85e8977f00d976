"""Tables of rejected rows, comparisons and plans."""
