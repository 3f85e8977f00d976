"""What a file does to the bars that were stored before it: counted, and kept as evidence."""
