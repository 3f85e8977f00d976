"""Plain tables of bars: mdload's column names and common synonyms."""

from loader.dialects.dialect import Dialect

_ADJUSTED = "adjusted for splits and dividends after the fact"
_ACTIONS = "dividends and splits are not stored"

DIALECT = Dialect(
    name="canonical",
    title="Bars under their plain column names",
    columns={
        "provider": ("provider",),
        "symbol": ("symbol", "ticker", "sym", "instrument", "security", "tic", "outerkey",
                   "股票代码", "证券代码",
                   "metasymbol"),
        "interval": ("interval", "timeframe", "resolution", "barsize", "freq", "frequency",
                     "metainterval", "周期"),
        "ts": (
            "ts", "timestamp", "datetime", "timestamputc", "datetimeutc", "gmttime", "utctime",
            "timeutc", "timegmt", "dateutc", "timestampopen",
            "opentime", "starttime", "startdate", "bartime", "barstart", "windowstart",
            "timestampms", "unixtimestamp", "unix", "epoch", "time", "date", "day", "dt", "t",
            "dtyyyymmdd", "时间", "日期", "交易时间", "交易日期",
            # A data frame's index comes last, because it is often just a row number.
            "indexlevel0", "index", "unnamed:0", "", "key",
        ),
        "time_of_day": ("time", "timeofday"),
        "open": ("open", "o", "openprice", "priceopen", "开盘", "开盘价"),
        "high": ("high", "h", "highprice", "pricehigh", "最高", "最高价"),
        "low": ("low", "l", "lowprice", "pricelow", "最低", "最低价"),
        "close": ("close", "c", "closeprice", "priceclose", "last", "latest", "close/last",
                  "收盘", "收盘价"),
        "volume": ("volume", "v", "vol", "成交量"),
        "vwap": ("vwap", "vw"),
        "trade_count": ("tradecount", "n", "trades", "transactions", "numtrades", "numberoftrades"),
    },
    left_out={
        **dict.fromkeys(
            ("adjclose", "adjustedclose", "adjopen", "adjhigh", "adjlow", "adjvolume"), _ADJUSTED
        ),
        **dict.fromkeys(
            ("dividends", "dividend", "dividendamount", "divcash", "exdividend", "stocksplits",
             "split", "splits", "splitratio", "splitfactor", "splitcoefficient"), _ACTIONS
        ),
    },
    source="mdload's names; synonyms from the files that docs/formats.md describes",
)  # fmt: skip
