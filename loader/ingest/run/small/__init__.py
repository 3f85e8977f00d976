"""Small files before anything of them is written: read and checked several at a time.

`checked` reads them; files of one kind are checked at once (`alike`, with `clocks` for their times)
by what the first of them has shown (`patterns`). `ahead` does this while the server commits others.
"""
