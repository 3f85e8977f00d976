"""Plain tables of bars: mdload's column names and common synonyms."""

from loader.dialects.dialect import Dialect

_ADJUSTED = "adjusted for splits and dividends after the fact"
_ACTIONS = "dividends and splits are not stored"

#: The names of columns; in other languages as exchanges and brokers write them on their pages.
#: Where a table has units and money, the word for units stands first.
_WORDS = {
    "provider": "provider",
    "symbol": "symbol ticker sym instrument security tic outerkey metasymbol"
              " 股票代码 证券代码 股票代號 證券代號 銘柄コード 종목코드",
    "interval": "interval timeframe resolution barsize freq frequency metainterval 周期",
    "ts": "ts timestamp datetime timestamputc datetimeutc gmttime utctime timeutc timegmt dateutc"
          " timestampopen opentime starttime startdate bartime barstart windowstart start begin"
          " candlestart periodstart intervalstart startts timestampms unixtimestamp unix epoch time"
          " zeitstempel zeitpunkt zeit uhrzeit heure hora ora czas tijd время 時刻 시간 时间"
          " date day dt dtyyyymmdd datum fecha data дата 日時 日付 날짜 일자 日期"
          " 交易时间 交易日期 t month week",
    "time_of_day": "time timeofday zeit uhrzeit heure hora ora czas tijd время 時刻 시간 时间",
    "open": "open o openprice priceopen openingprice eröffnung eröffnungskurs eröffn erster"
            " ouverture apertura abertura otwarcie открытие откр 开盘 开盘价 開盤價 始値 시가",
    "high": "high h highprice pricehigh hoch tageshoch höchst höchstkurs plushaut máximo maximo máx"
            " massimo máxima maxima najwyzszy najwyższy hoogste максимум макс"
            " 最高 最高价 最高價 高値 고가",
    "low": "low l lowprice pricelow tief tagestief tiefst tiefstkurs plusbas mínimo minimo mín"
           " mínima minima najnizszy najniższy laagste минимум мин 最低 最低价 最低價 安値 저가",
    "close": "close c closeprice priceclose last latest close/last closingprice schluss"
             " schlusskurs clôture cloture cierre chiusura fechamento zamkniecie zamknięcie"
             " закрытие 收盘 收盘价 收盤價 終値 종가 zuletzt letzter dernier último ultimo",
    "volume": "volume v vol totalvolume stücke stuecke stück 成交股數 volumen wolumen объем объём"
              " 成交量 出来高 거래량",
    "vwap": "vwap vw",
    "trade_count": "tradecount n trades transactions numtrades numberoftrades",
}  # fmt: skip
#: A data frame's index comes last, because it is often just a row number.
_INDEX = ("indexlevel0", "index", "unnamed:0", "", "key")

DIALECT = Dialect(
    name="canonical",
    title="Bars under their plain column names",
    columns={
        field: (*words.split(), *(_INDEX if field == "ts" else ()))
        for field, words in _WORDS.items()
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
