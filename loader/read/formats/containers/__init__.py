"""One module for each container, with its `FORMAT`; `loader.read.formats.known` finds them."""
