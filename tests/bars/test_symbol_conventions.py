"""Each convention against the table of suffixes, its traps, and a slow independent reading."""

from __future__ import annotations

import re
from string import ascii_uppercase

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from loader.bars.conventions import CONVENTIONS
from loader.bars.names import symbols
from loader.bars.words import Words

#: canonical, then the spelling under each of NAMES; "" where the convention is not known to have it
NAMES = ("cqs", "cms", "inet", "yahoo", "tiingo", "bloomberg")
TABLE = [
    ("BRK.B", "BRK.B", "BRK B", "BRK.B", "BRK-B", "BRK-B", "BRK/B"),
    ("TY.PR", "TYp", "TY PR", "TY-", "TY-P", "TY-P", ""),
    ("ABR.PRA", "ABRpA", "ABR PRA", "ABR-A", "ABR-PA", "ABR-P-A", ""),
    ("AIG.WS", "AIG.WS", "AIG WS", "AIG+", "AIG-WT", "", "AIG/WS"),
    ("VST.WSA", "VST.WS.A", "VST WSA", "VST+A", "VST-WTA", "", "VST/WS/A"),
    ("ACND.U", "ACND.U", "ACND U", "ACND=", "ACND-UN", "", "ACND/U"),
    ("BMY.RT", "BMYr", "BMY RT", "BMY^", "BMY-RI", "", "BMY-R"),
    ("VNT.WI", "VNTw", "VNT WI", "VNT#", "VNT-WI", "", "VNT-W"),
    ("ZZ.RTWI", "ZZrw", "ZZ RTWI", "ZZ^#", "ZZ-RIWI", "", "ZZ-R-W"),
    ("DD.WD", "DD.WD", "DD WD", "DD$", "DD-WD", "", "DD/WD"),
    ("X.CL", "X.CL", "X CL", "X*", "", "", ""),
    ("A.TEST", "A.TEST", "A TEST", "A~", "", "", ""),
    # The rest of Nasdaq's table: suffixes joined.
    ("TY.PRWI", "TYpw", "TY PRWI", "TY-#", "", "", ""),
    ("ABR.PRAWI", "ABRpAw", "ABR PRAWI", "ABR-A#", "", "", ""),
    ("ABR.PRAWD", "ABRpA.WD", "ABR PRAWD", "ABR-A$", "", "", ""),
    ("ABR.PRACL", "ABRpA.CL", "ABR PRACL", "ABR-A*", "", "", ""),
    ("ABR.PRACV", "ABRpA.CV", "ABR PRACV", "ABR-A%", "", "", ""),
    ("TY.PRCL", "TYp.CL", "TY PRCL", "TY-*", "", "", ""),
    ("TY.PRWD", "TYp.WD", "TY PRWD", "TY-$", "", "", ""),
    ("BRK.BWI", "BRK.Bw", "BRK BWI", "BRK.B#", "", "", ""),
    ("BRK.BCL", "BRK.B.CL", "BRK BCL", "BRK.B*", "", "", ""),
    ("BRK.BCV", "BRK.B.CV", "BRK BCV", "BRK.B%", "", "", ""),
    ("AIG.WSWI", "AIG.WSw", "AIG WSWI", "AIG+#", "", "", ""),
    ("X.CV", "X.CV", "X CV", "X%", "", "", ""),
    ("X.CVCL", "X.CV.CL", "X CVCL", "X%*", "", "", ""),
    ("X.EC", "X.EC", "X EC", "X!", "", "", ""),
    ("X.PP", "X.PP", "X PP", "X@", "", "", ""),
]
GOLDEN = [
    (name, spelling, canonical)
    for canonical, *spelled in TABLE
    for name, spelling in zip(NAMES, spelled, strict=True)
    if spelling
]


def stored(convention: str, *spellings: str | None) -> list[str | None]:
    words = Words.of(pl.Series(spellings, dtype=pl.String))
    return symbols(words, convention).rows.to_list()


@pytest.mark.parametrize(("convention", "spelling", "canonical"), GOLDEN)
def test_every_row_of_the_table(convention: str, spelling: str, canonical: str) -> None:
    assert stored(convention, spelling, f" {spelling}\t", None) == [canonical, canonical, None]


@pytest.mark.parametrize(
    ("convention", "spelling", "symbol"),
    [
        # `-` is a class at Yahoo and Tiingo, a preferred at INET, a part of rights at Bloomberg.
        ("yahoo", "BAC-L", "BAC.L"),
        ("yahoo", "BAC-PL", "BAC.PRL"),
        ("tiingo", "BRK-A", "BRK.A"),
        ("tiingo", "SPG-P-J", "SPG.PRJ"),
        ("inet", "BAC-L", "BAC.PRL"),
        ("bloomberg", "BMY-R", "BMY.RT"),
        ("bloomberg", "BRK-B", "BRK-B"),
        ("cqs", "BRK-B", "BRK-B"),
        ("plain", "BRK-B", "BRK-B"),
        # `$` is when distributed at INET, and nothing elsewhere.
        ("inet", "DD$", "DD.WD"),
        ("cqs", "ABR$A", "ABR$A"),
        ("plain", "$SPX", "$SPX"),
        ("inet", "$SPX", "$SPX"),
        # `.` is a class or an exchange.
        ("cqs", "RDS.A", "RDS.A"),
        ("yahoo", "RACE.MI", "RACE.MI"),
        ("yahoo", "NOVO-B.CO", "NOVO-B.CO"),
        ("plain", "AAPL.US", "AAPL.US"),
        ("cqs", "AAPL.US", "AAPL.US"),
        ("eodhd", "AAPL.US", "AAPL"),
        ("eodhd", "BRK-B.US", "BRK.B"),
        ("eodhd", "BAC-PL.US", "BAC-PL"),
        ("eodhd", "TY-P.US", "TY-P"),
        ("eodhd", "BTC-USD.CC", "BTC-USD.CC"),
        ("eodhd", "EURUSD.FOREX", "EURUSD.FOREX"),
        ("eodhd", "GSPC.INDX", "GSPC.INDX"),
        ("stooq", "AAPL.US", "AAPL"),
        ("stooq", "aapl.us", "AAPL"),
        ("stooq", "brk-b.us", "BRK.B"),
        ("stooq", "abc_a.us", "ABC_A"),
        ("stooq", "^spx", "^SPX"),
        ("stooq", "eurusd", "EURUSD"),
        ("stooq", "cl.f", "CL.F"),
        ("stooq", "cdr.pl", "CDR.PL"),
        ("stooq", "BRK-B", "BRK-B"),
        ("stooq", ".US", ".US"),
        ("stooq", "US.US", "US"),
        # p, r and w are suffixes only in lower case and after a root.
        ("cqs", "TPC", "TPC"),
        ("cqs", "p", "P"),
        ("cqs", "rw", "RW"),
        ("cqs", "aapl", "AAPL"),
        ("cqs", "brk.b", "BRK.B"),
        ("cqs", "vst.ws.a", "VST.WSA"),
        # A fifth letter at Nasdaq is not a suffix.
        ("cqs", "BCGWW", "BCGWW"),
        ("cqs", "ZVZZT", "ZVZZT"),
        ("cqs", "NTEST.A", "NTEST.A"),
        ("cms", "ES 12-13", "ES 12-13"),
        ("cms", "AAPL  250221C00250000", "AAPL  250221C00250000"),
        ("cms", "EUR.USD", "EUR.USD"),
        ("bloomberg", "TY Pfd", "TY PFD"),
        ("bloomberg", "EUR/USD", "EUR/USD"),
        ("yahoo", "BTC-USD", "BTC-USD"),
        ("yahoo", "^GSPC", "^GSPC"),
        ("yahoo", "CL=F", "CL=F"),
        ("yahoo", "EURUSD=X", "EURUSD=X"),
        ("cqs", "X:BTCUSD", "X:BTCUSD"),
        ("cqs", "I:SPX", "I:SPX"),
        ("cqs", "C:EURUSD", "C:EURUSD"),
        ("cqs", "O:SPY230327P00390000", "O:SPY230327P00390000"),
        ("plain", "ES.c.0", "ES.C.0"),
        ("cqs", "ES.c.0", "ES.C.0"),
        ("plain", "XRP/USDT:USDT", "XRP/USDT:USDT"),
        ("plain", "BTC-USDT-SWAP", "BTC-USDT-SWAP"),
        ("inet", "BTCUSDT-P", "BTCUSDT-P"),
    ],
)  # fmt: skip
def test_what_the_same_signs_mean_elsewhere(convention: str, spelling: str, symbol: str) -> None:
    assert stored(convention, spelling) == [symbol]


@pytest.mark.parametrize(
    ("issue", "canonical", "share"),
    [
        ("ALpA", "AL.PRA", "ALPA"),
        ("BCpC", "BC.PRC", "BCPC"),
        ("CpK", "C.PRK", "CPK"),
        ("Kw", "K.WI", "KW"),
        ("PLMr", "PLM.RT", "PLMR"),
        ("SRVr", "SRV.RT", "SRVR"),
        ("TpC", "T.PRC", "TPC"),
    ],
)
def test_seven_pairs_that_a_real_ingest_merged(issue: str, canonical: str, share: str) -> None:
    assert stored("cqs", issue, share) == [canonical, share]


# An independent reading, one string at a time.

ROOT = r"([A-Z]{1,5})"
TOKENS = {
    "cqs": {"p": "PR", "r": "RT", "w": "WI", ".": ""},
    "inet": {"-": "PR", "+": "WS", "^": "RT", "#": "WI", "=": "U", "$": "WD", "*": "CL",
             "%": "CV", "!": "EC", "@": "PP", "~": "TEST", ".": ""},
}  # fmt: skip
GRAMMARS = {
    "cqs": r"p[A-Z]?(w|\.WD|\.CL)?|p[A-Z]\.CV|\.[A-Z](w|\.CL|\.CV)?|\.WS(w|\.[A-Z])?|rw?|w"
    r"|\.WD|\.CL|\.CV(\.CL)?|\.EC|\.PP|\.TEST",
    "inet": r"-[A-Z]?[#$*]?|-[A-Z]%|\.[A-Z][#*%]?|\+[A-Z]?|\+#|\^#?|[#=$*!@~]|%\*?",
    "cms": r" ([A-Z]|PR|PR[A-Z]|WS|WS[A-Z]|RT|WI|RTWI|PRWI|PR[A-Z]WI|[A-Z]WI|WSWI|WD|PRWD"
    r"|PR[A-Z]WD|CL|[A-Z]CL|PRCL|PR[A-Z]CL|CV|CVCL|[A-Z]CV|PR[A-Z]CV|EC|PP|TEST)",
}


def slow(convention: str, spelling: str) -> str:  # noqa: PLR0911, PLR0912 - one for each rule
    text = spelling.strip()
    if convention != "cqs" or text.lower() == text:
        text = text.upper()
    if convention in GRAMMARS:
        found = re.fullmatch(f"{ROOT}({GRAMMARS[convention]})", text)
        if not found:
            return text.upper()
        letters = TOKENS.get(convention, {" ": ""})
        return f"{found[1]}." + "".join(letters.get(letter, letter) for letter in found[2])
    if convention in ("eodhd", "stooq"):
        found = re.fullmatch(r"(?s)(.+)\.US", text)
        if not found:
            return text
        share = re.fullmatch(f"{ROOT}-([A-OQ-Z])", found[1])
        return f"{share[1]}.{share[2]}" if share else found[1]
    if convention == "yahoo":
        for spelled, cms in {"P": "PR", "WT": "WS"}.items():
            if found := re.fullmatch(f"{ROOT}-{spelled}([A-Z]?)", text):
                return f"{found[1]}.{cms}{found[2]}"
        if found := re.fullmatch(f"{ROOT}-([A-Z])", text):
            return f"{found[1]}.{found[2]}"
        if found := re.fullmatch(f"{ROOT}-(UN|RI|RIWI|WI|WD)", text):
            return f"{found[1]}." + found[2].replace("UN", "U").replace("RI", "RT")
    if convention == "tiingo" and (found := re.fullmatch(f"{ROOT}-(P-[A-Z]|[A-Z])", text)):
        return f"{found[1]}." + re.sub("^P-?", "PR", found[2])
    if convention == "bloomberg":
        if found := re.fullmatch(f"{ROOT}/([A-Z]|WS|WS/[A-Z]|WD)", text):
            return f"{found[1]}.{found[2].replace('/', '')}"
        if found := re.fullmatch(f"{ROOT}-(R|W|R-W)", text):
            return f"{found[1]}." + {"R": "RT", "W": "WI", "R-W": "RTWI"}[found[2]]
    return text


SUFFIXES = sorted({s.removeprefix(re.match("[A-Z]*", s)[0]) for _, s, _ in GOLDEN})  # type: ignore[index]
#: Of classes and series; a class U would be the unit's `.U`.
LETTERS = st.sampled_from(ascii_uppercase.replace("U", ""))
ROOTS = st.text(ascii_uppercase, min_size=1, max_size=5)
SPELLINGS = st.one_of(
    st.text("ABLPRSTUVWDprwu .-+=^#$*~/%!@:019\n", max_size=9),
    st.builds("{}{}".format, st.text(ascii_uppercase, max_size=6), st.sampled_from(SUFFIXES)),
    st.builds("{}{}{}".format, ROOTS, st.sampled_from(SUFFIXES), st.sampled_from(SUFFIXES)),
    st.sampled_from([spelling for _, spelling, _ in GOLDEN]).map(str.lower),
    st.builds("{}{}.{}".format, ROOTS, st.sampled_from(["", "-A", "-P", "_A"]),
              st.sampled_from(["US", "us", "MI"])),
)  # fmt: skip


@pytest.mark.parametrize("convention", CONVENTIONS)
@given(spellings=st.lists(SPELLINGS, max_size=8))
def test_as_one_reads_them_one_by_one(convention: str, spellings: list[str]) -> None:
    found = stored(convention, *spellings)
    assert found == [slow(convention, spelling) for spelling in spellings]
    # Repeats are converted once; single conversion gives the same.
    assert stored(convention, *spellings, *spellings) == found * 2
    assert [symbol for s in spellings for symbol in stored(convention, s)] == found
    assert all(symbol == symbol.upper() for symbol in found if symbol is not None)


CANONICAL = st.builds(
    "{}{}".format, ROOTS, st.sampled_from(["", *(re.sub("^[A-Z]+", "", row[0]) for row in TABLE)])
)


@pytest.mark.parametrize("convention", CONVENTIONS)
@given(name=CANONICAL)
def test_canonical_names_stay(convention: str, name: str) -> None:
    assert stored(convention, name) == [name]


@pytest.mark.parametrize("column", range(1, 7))
@given(root=ROOTS, letters=st.tuples(LETTERS, LETTERS))
def test_no_two_kinds_fall_together(column: int, root: str, letters: tuple[str, str]) -> None:
    """Neither two kinds of one root nor two of their series."""
    spelled = set()
    for row in TABLE:
        if suffix := row[column] and re.sub("^[A-Z]+", "", row[column]):
            name = root + suffix
            series = re.search(r"(?<=p)A|(?<=[-+./ ])[AB]|(?<= PR)A|(?<= WS)A|(?<=-P)A|(?<=WT)A",
                               suffix)  # fmt: skip
            spelled.add(name)
            if series:
                at = len(root) + series.start()
                spelled |= {name[:at] + letter + name[at + 1 :] for letter in letters}
    found = stored(NAMES[column - 1], *sorted(spelled))
    assert len(set(found)) == len(spelled)
    assert all(str(symbol).startswith(f"{root}.") for symbol in found)


def test_every_convention_says_where_it_is_from() -> None:
    for convention in CONVENTIONS.values():
        assert convention.__doc__
