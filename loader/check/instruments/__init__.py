"""Which instrument the rows of a file are of: what is lacking, and what tells rows apart."""
