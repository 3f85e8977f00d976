"""hikyuu's bars of the Chinese exchanges: its HDF5 files, and its CSV."""

from loader.dialects.dialect import Dialect, Shape

#: 2017-3-7 0:0:0. The header alone is others' too, with a count of trades in its last column.
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
        "volume counts lots of 100 shares, of indices too; the money beside it is in thousands of "
        "yuan in HDF5, in tens of thousands in CSV",
        "HDF5 has a table per instrument, whose name is the symbol, and prices in thousandths",
        "CSV says no symbol: --symbol",
        "nothing says of bars within a day which end their times are, nor the zone: --stamp and "
        "--timezone",
    ),
    source="sh_day.h5 and test_day_data.csv of hikyuu; money over volume gives prices",
)  # fmt: skip
