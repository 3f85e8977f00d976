"""From a source to its plain bytes: where it is, its archive, its compressions."""
