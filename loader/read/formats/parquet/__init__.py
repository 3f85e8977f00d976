"""What a Parquet file says of itself, read here where PyArrow would take it on trust."""
