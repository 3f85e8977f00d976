"""mdload beside what people would use instead: the same rows, table, key and server, in turns."""
