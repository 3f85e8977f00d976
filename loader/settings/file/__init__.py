"""The text of mdload.toml: where it is, what it says, and the variables in it."""
