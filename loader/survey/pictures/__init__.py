"""Pictures as SVG, drawn from numbers that were added up before. They need no library, carry no
script, and read the same on a page of ours and as a file of their own."""
