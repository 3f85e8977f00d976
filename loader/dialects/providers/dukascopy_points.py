"""What one point of a Dukascopy price is: nowhere in its files, and different by instrument."""

from __future__ import annotations

from typing import Final

#: By the negative power of ten. Only instruments whose unit public metadata and levels agree on:
#: of others the person is asked.
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
    """The power of ten that one point is of, or None where it is not known."""
    digits = _DIGITS.get(symbol.upper())
    return None if digits is None else -digits


def duka_exponent(symbol: str) -> int | None:
    """The power of ten by which duka's prices are too small, or None where it is not known.

    duka takes a point for 1e-5 whatever the instrument; its versions differ over metals.
    """
    digits = _DIGITS.get(symbol.upper())
    return None if digits is None or symbol.upper().startswith("XA") else _DUKA - digits
