"""hikyuu's bars of the Chinese exchanges: its HDF5 files, and its CSV."""

from loader.dialects.dialect import Dialect, Shape

#: 2017-3-7 0:0:0. Others use the same header with a count of trades in the last column.
_UNPADDED = r"\d{4}-\d{1,2}-\d{1,2} \d{1,2}:\d{1,2}:\d"

DIALECT = Dialect(
    name="hikyuu",
    title="hikyuu's HDF5 and CSV",
    columns={
        "symbol": ("key",),
        "ts": ("datetime", "date"),
        "open": ("openprice", "open"),
        "high": ("highprice", "high"),
        "low": ("lowprice", "low"),
        "close": ("closeprice", "close"),
        "volume": ("transcount", "count"),
    },
    shapes=(
        Shape(
            containers=("hdf5",),
            header=(
                "key", "closePrice", "datetime", "highPrice", "lowPrice", "openPrice",
                "transAmount", "transCount",
            ),
            exact=True,
            place="data",
            time_format="%Y%m%d%H%M",
            price_exponent=-3,
        ),
        Shape(
            header=("date", "open", "high", "low", "close", "amount", "count"),
            exact=True,
            values={"date": _UNPADDED},
        ),
    ),
    names=(r"(?:^|[/!])(?:sh|sz|bj)_(?P<interval>day)\.h5$",),
    left_out=dict.fromkeys(("transamount", "amount"), "money, not units traded"),
    stamp=None,
    volume_exponent=2,
    volume="lots of 100 shares",
    adjusted="nothing, as traded",
    traps=(
        "volume counts lots of 100 shares, for indices too; the money column is in thousands of "
        "yuan in HDF5, in tens of thousands in CSV",
        "HDF5 has one table per instrument, named by its symbol, with prices in thousandths",
        "CSV has no symbol: use --symbol",
        "intraday files show neither which end of a bar a time marks nor the zone: use --stamp and "
        "--timezone",
    ),
    source="sh_day.h5 and test_day_data.csv of hikyuu; money over volume gives prices",
)  # fmt: skip
