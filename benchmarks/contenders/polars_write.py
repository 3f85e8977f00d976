"""`polars.DataFrame.write_database(engine="adbc", if_table_exists="append")`.

It only appends, so it takes part in fresh loads and appends only. Source: Polars' reference of
`write_database`, which advises ADBC for speed.
"""

from __future__ import annotations

import sys

from benchmarks.contenders.contender import Contender, script

CONTENDER = Contender(
    name="polars",
    title="polars.write_database, ADBC",
    command=script(__name__),
    merges=False,
)


def load(url: str, path: str) -> None:
    from benchmarks.contenders import bar_file

    bar_file.read(path).write_database("bars_ohlcv", url, engine="adbc", if_table_exists="append")


if __name__ == "__main__":
    load(*sys.argv[1:])
