"""Times of bars: how cells are written, what zone they are in, and the instants they come to.

`plan` decides once per file how its times are read, `stamps` reads them; `forms` knows text,
`epochs` numbers since 1970, `zones` clocks, `spacing` what the steps between bars tell, and `ends`
makes starts of the ends of bars.
"""
