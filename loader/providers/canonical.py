"""Plain tables of bars: mdload's own column names and the common words for them."""

from loader.providers.dialect import Dialect

DIALECT = Dialect(
    name="canonical",
    title="Bars under their plain column names",
    columns={
        "provider": ("provider",),
        "symbol": ("symbol", "ticker", "sym", "instrument", "security", "tic"),
        "interval": ("interval", "timeframe", "resolution", "barsize", "freq", "frequency"),
        "ts": (
            "ts", "timestamp", "datetime", "time", "date", "opentime", "starttime", "startdate",
            "bartime", "barstart", "windowstart", "dt", "t", "timestamputc", "timestampopen",
            "index", "__index_level_0__",
        ),
        "open": ("open", "o", "openprice", "priceopen"),
        "high": ("high", "h", "highprice", "pricehigh"),
        "low": ("low", "l", "lowprice", "pricelow"),
        "close": ("close", "c", "closeprice", "priceclose"),
        "volume": ("volume", "v", "vol"),
        "vwap": ("vwap", "vw"),
        "trade_count": ("tradecount", "n", "trades", "transactions", "numtrades", "numberoftrades"),
    },
    left_out={
        "adjclose": "adjusted for splits and dividends after the fact; close is loaded",
        "adjustedclose": "adjusted for splits and dividends after the fact; close is loaded",
        "adjopen": "adjusted after the fact; open is loaded",
        "adjhigh": "adjusted after the fact; high is loaded",
        "adjlow": "adjusted after the fact; low is loaded",
        "adjvolume": "adjusted after the fact; volume is loaded",
    },
    source="mdload's own; synonyms from the files described in docs/formats.md",
)  # fmt: skip
