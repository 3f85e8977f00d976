"""What is stored, what is missing, and what is wrong with it."""
