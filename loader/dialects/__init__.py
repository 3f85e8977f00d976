"""How vendors' files are read: each file's dialect, recognised by columns, values and names."""
