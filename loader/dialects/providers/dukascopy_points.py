"""The size of a point in Dukascopy prices: it depends on the instrument and no file has it."""

from __future__ import annotations

from typing import Final

#: Instruments by the negative power of ten of a point. The table has only those for which public
#: metadata and price levels agree; for others the person must supply the unit.
_INSTRUMENTS: Final = {
    5: "AUDCAD AUDCHF AUDNZD AUDSGD AUDUSD CADCHF CADHKD CHFSGD EURAUD EURCAD EURCHF EURDKK EURGBP "
    "EURHKD EURNOK EURNZD EURPLN EURSEK EURSGD EURTRY EURUSD GBPAUD GBPCAD GBPCHF GBPNZD GBPUSD "
    "HKDJPY NZDCAD NZDCHF NZDSGD NZDUSD USDCAD USDCHF USDCNH USDDKK USDHKD USDMXN USDNOK "
    "USDPLN USDRON USDSEK USDSGD USDTRY USDZAR",
    4: "COPPERCMDUSD EURCZK GASCMDUSD",
    3: "AUDJPY CADJPY CHFJPY EURHUF EURJPY GBPJPY NZDJPY SGDJPY USDHUF USDJPY ZARJPY XAGUSD XAUUSD "
    "XPDCMDUSD XPTCMDUSD BRENTCMDUSD LIGHTCMDUSD DIESELCMDUSD AUSIDXAUD CHEIDXCHF DEUIDXEUR "
    "ESPIDXEUR EUSIDXEUR FRAIDXEUR GBRIDXGBP HKGIDXHKD ITAIDXEUR JPNIDXJPY NLDIDXEUR SGDIDXSGD "
    "DOLLARIDXUSD USA30IDXUSD USA500IDXUSD USATECHIDXUSD USSC2000IDXUSD BUNDTREUR UKGILTTRGBP "
    "USTBONDTRUSD",
    1: "BCHUSD BTCEUR BTCUSD ETHEUR ETHUSD LTCUSD",
}
_DIGITS: Final = {
    symbol: digits for digits, symbols in _INSTRUMENTS.items() for symbol in symbols.split()
}
_DUKA: Final = 5


def exponent(symbol: str) -> int | None:
    """The power of ten of one point, or None if unknown."""
    digits = _DIGITS.get(symbol.upper())
    return None if digits is None else -digits


def duka_exponent(symbol: str) -> int | None:
    """The power of ten by which duka's prices are too small, or None if unknown.

    duka uses points of 1e-5 for every instrument; its versions differ for metals.
    """
    digits = _DIGITS.get(symbol.upper())
    return None if digits is None or symbol.upper().startswith("XA") else _DUKA - digits
