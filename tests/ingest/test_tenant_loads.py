"""Files into the datasets of tenants: one at a time, on a real server."""

from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import polars as pl
import psycopg
import pytest

from loader.bars import symbol_map
from loader.errors import (
    ColumnMismatch,
    DatabaseError,
    SchemaOutOfDate,
    SettingsError,
)
from loader.ingest.ways import chosen
from loader.results import Counts
from loader.settings import Settings
from tests.conftest import not_on_citus
from tests.support.sql import fetch
from tests.support.tenants import added, loaded, stored, with_tenants, written

FILED = {
    "ticker": "aapl", "fiscalDateEnding": "2022-12-31", "filed_at": "2023-02-02T18:00Z",
    "totalRevenue": "117154000000.01", "eps": "1.88",
}  # fmt: skip
RESTATED = {**FILED, "filed_at": "2024-02-01T18:00Z", "totalRevenue": "117154000000.02"}
NEXT = {**FILED, "fiscalDateEnding": "2023-03-31", "filed_at": "2023-05-04T18:00Z", "eps": "1.52"}


@pytest.fixture
def url(database_url: str) -> str:
    with_tenants(database_url, "acme", "globex")
    return database_url


def fundamentals(url: str, path: Path, tenant: str = "acme", **settings: Any) -> Counts:
    result = loaded(url, "fundamentals", tenant, path, provider="fmp", **settings)
    assert result.error is None
    return result.counts


def of(url: str, tenant: str, sql: str) -> list[tuple[Any, ...]]:
    ((found,),) = fetch(url, "SELECT id FROM tenants WHERE name = %s", tenant)
    return stored(url, str(found), sql)


def test_versions_in_one_file_newest_stays_older_is_history(url: str, tmp_path: Path) -> None:
    path = written(tmp_path, [RESTATED, FILED, NEXT])
    dry = fundamentals(url, path, dry_run=True)
    assert dry == Counts(read=3, inserted=3)
    assert of(url, "acme", "SELECT FROM fundamentals") == []
    assert fundamentals(url, path) == dry
    assert of(
        url, "acme", "SELECT symbol, asof, revenue, eps, filed_at FROM fundamentals ORDER BY asof"
    ) == [
        ("AAPL", date(2022, 12, 31), Decimal("117154000000.02"), Decimal("1.8800"),
         datetime(2024, 2, 1, 18, tzinfo=UTC)),
        ("AAPL", date(2023, 3, 31), Decimal("117154000000.01"), Decimal("1.5200"),
         datetime(2023, 5, 4, 18, tzinfo=UTC)),
    ]  # fmt: skip
    history = "SELECT op, old_revenue, old_filed_at FROM fundamentals_revisions"
    assert of(url, "acme", history) == [
        ("version", Decimal("117154000000.01"), datetime(2023, 2, 2, 18, tzinfo=UTC))
    ]
    assert fundamentals(url, path, force=True) == Counts(read=3, unchanged=3)
    assert len(of(url, "acme", history)) == 1
    assert of(url, "globex", "SELECT FROM fundamentals") == []
    assert of(url, "globex", history) == []


@pytest.mark.parametrize("order", [[FILED, RESTATED], [RESTATED, FILED]])
def test_files_may_come_in_any_order(url: str, tmp_path: Path, order: list[dict[str, str]]) -> None:
    assert fundamentals(url, written(tmp_path, order[:1])) == Counts(read=1, inserted=1)
    counts = fundamentals(url, written(tmp_path, order[1:]))
    newer = order[1] is RESTATED
    assert counts == Counts(read=1, updated=int(newer), inserted=int(not newer))
    found = of(url, "acme", "SELECT revenue FROM fundamentals")
    assert found == [(Decimal("117154000000.02"),)]
    assert of(url, "acme", "SELECT old_revenue, run_id > 0 FROM fundamentals_revisions") == [
        (Decimal("117154000000.01"), True)
    ]


def test_a_row_without_its_filing_takes_nothing_away(url: str, tmp_path: Path) -> None:
    fundamentals(url, written(tmp_path, [FILED]))
    unsaid = {name: value for name, value in FILED.items() if name != "filed_at"}
    assert fundamentals(url, written(tmp_path, [unsaid])) == Counts(read=1, unchanged=1)
    other = written(tmp_path, [{**unsaid, "eps": "1.89"}])  # known from now on
    assert fundamentals(url, other) == Counts(read=1, updated=1)
    found = of(url, "acme", "SELECT eps, filed_at FROM fundamentals")
    assert found == [(Decimal("1.8900"), None)]


def test_a_filing_of_a_day_is_known_at_its_end(url: str, tmp_path: Path) -> None:
    rows = [{**FILED, "filed_at": "2023-02-02"}]
    fundamentals(url, written(tmp_path, rows))
    fundamentals(url, written(tmp_path, rows), "globex", timezone="America/New_York")
    known = "SELECT filed_at FROM fundamentals"
    assert of(url, "acme", known) == [(datetime(2023, 2, 2, 23, 59, 59, 999999, UTC),)]
    assert of(url, "globex", known) == [(datetime(2023, 2, 3, 4, 59, 59, 999999, UTC),)]


def test_rejects_have_reasons_and_only_their_tenant_sees_them(url: str, tmp_path: Path) -> None:
    path = written(
        tmp_path,
        [
            {**FILED, "tenant": "acme"},
            {**NEXT, "tenant": "globex"},
            {**FILED, "ticker": "", "tenant": ""},
            {**FILED, "eps": "abc", "tenant": ""},
            {**FILED, "eps": "1000000", "tenant": ""},
            {**FILED, "filed_at": "2022-12-30T10:00Z", "tenant": ""},
            {**FILED, "eps": "", "totalRevenue": "NaN", "tenant": ""},
            {**FILED, "fiscalDateEnding": "2022-13-31", "tenant": ""},
        ],
    )
    result = loaded(url, "fundamentals", "acme", path, provider="fmp")
    assert result.counts == Counts(read=8, inserted=1, rejected=7)
    expected = {
        "other_tenant": 1, "symbol_missing": 1, "eps_unparsable": 1, "eps_out_of_range": 1,
        "filed_before_period_end": 1, "no_value": 1, "asof_unparsable": 1,
    }  # fmt: skip
    assert result.rejected == expected
    kept = "SELECT row_number, rules, raw->>'eps', dataset FROM tenant_rejected ORDER BY 1"
    assert of(url, "acme", kept)[:2] == [
        (2, ["other_tenant"], "1.52", "fundamentals"),
        (3, ["symbol_missing"], "1.88", "fundamentals"),
    ]
    assert of(url, "globex", kept) == []
    assert fetch(url, "SELECT FROM bars_rejected") == fetch(url, "SELECT FROM bars_loads") == []


def test_too_many_rejects_keep_the_file_out(url: str, tmp_path: Path) -> None:
    path = written(tmp_path, [FILED, {**NEXT, "eps": "abc"}])
    result = loaded(
        url, "fundamentals", "acme", path, provider="fmp", max_rejects=Settings().max_rejects
    )
    assert (result.state, result.exit_code) == ("refused", 4)
    assert "tenant_rejected" in str(result.hint)
    assert of(url, "acme", "SELECT FROM fundamentals") == []
    assert len(of(url, "acme", "SELECT FROM tenant_rejected")) == 1


def test_numbers_are_exact_whatever_holds_them(url: str, tmp_path: Path) -> None:
    """A float counts by its shortest text; more decimals than there are places are rounded once."""
    path = tmp_path / "bars.parquet"
    pl.DataFrame(
        {
            "symbol": ["A", "B", "C"],
            "ts": [datetime(2024, 1, 2, tzinfo=UTC)] * 3,
            "open": pl.Series([0.1, 101.32999420166016, 1e11]),
            "high": pl.Series(["0.30000000", "123456789012.12345678", "1e11"]),
            "low": pl.Series([Decimal("0.00000001"), Decimal("0.2"), Decimal(3)]),
            "close": pl.Series(["0.123456785", "0.2", "3.00"]),
            "volume": [1, 2**62, None],
        }
    ).write_parquet(path)
    result = loaded(url, "bars", "acme", path, provider="v", interval="1d")
    assert result.counts == Counts(read=3, inserted=3)
    found = of(url, "acme", "SELECT open, high, low, close, volume FROM bars ORDER BY symbol")
    assert [tuple(None if v is None else str(v) for v in row) for row in found] == [
        ("0.10000000", "0.30000000", "1E-8", "0.12345679", "1"),
        ("101.32999420", "123456789012.12345678", "0.20000000", "0.20000000", str(2**62)),
        ("100000000000.00000000", "100000000000.00000000", "3.00000000", "3.00000000", None),
    ]
    assert "1 numbers of open have more than 8 decimals: rounded" in [n.text for n in result.notes]


def test_news_are_known_by_their_address_or_title(url: str, tmp_path: Path) -> None:
    first = {"publishedDate": "2024-01-02T10:00:00Z", "ticker": "A", "headline": "Up",
             "url": "https://x/1", "text": "…", "provider": "n"}  # fmt: skip
    bare = {**first, "url": "", "headline": "Down"}
    path = written(tmp_path, [first, bare, {**first, "headline": "Up!"}])
    result = loaded(url, "news", "acme", path)
    assert result.counts == Counts(read=3, inserted=2, duplicate=1)
    assert result.conflicting == 1
    assert loaded(url, "news", "acme", path, force=True).counts == Counts(
        read=3, unchanged=2, duplicate=1
    )
    edited = written(
        tmp_path, [{**bare, "text": "longer"}, {**first, "ticker": "", "headline": "Up!"}]
    )
    assert loaded(url, "news", "acme", edited).counts == Counts(read=2, updated=2)
    found = "SELECT title, body, symbol, url IS NULL FROM news ORDER BY title"
    assert of(url, "acme", found) == [("Down", "longer", "A", True), ("Up!", "…", None, False)]


def test_a_snapshot_of_options(url: str, tmp_path: Path) -> None:
    row = {"underlying": "spy", "quote_time": "2024-01-02 15:45:00", "expiration": "2024-01-19",
           "put_call": "Call", "strike": "470", "impliedVolatility": "0.1234", "openInterest": "7",
           "delta": "0.51"}  # fmt: skip
    rows = [row, {**row, "put_call": "p"}, {**row, "put_call": "X"}, {**row, "delta": "1.5"}]
    path = written(tmp_path, rows)
    with pytest.raises(AssertionError):
        assert loaded(url, "options_snap", "acme", path, provider="o").error is None  # no zone
    result = loaded(url, "options_snap", "acme", path, provider="o", timezone="America/New_York")
    assert result.rejected == {"option_type_unknown": 1, "delta_out_of_range": 1}
    found = "SELECT symbol, ts, expiry, option_type, strike, iv, oi FROM options_snap ORDER BY 4"
    assert of(url, "acme", found) == [
        ("SPY", datetime(2024, 1, 2, 20, 45, tzinfo=UTC), date(2024, 1, 19), kind,
         Decimal("470.00000000"), Decimal("0.12340000"), 7)
        for kind in ("C", "P")
    ]  # fmt: skip


def test_a_known_file_is_loaded_again_once_others_have_changed_rows(
    url: str, tmp_path: Path
) -> None:
    one = written(tmp_path, [{**FILED, "eps": "1.1"}])
    assert loaded(url, "fundamentals", "acme", one, provider="fmp").state == "loaded"
    assert loaded(url, "fundamentals", "acme", one, provider="fmp").state == "known"
    assert loaded(url, "fundamentals", "globex", one, provider="fmp").state == "loaded"
    fundamentals(url, written(tmp_path, [{**FILED, "eps": "1.2"}]))
    again = loaded(url, "fundamentals", "acme", one, provider="fmp")
    assert again.counts == Counts(read=1, updated=1)


def test_what_a_load_refuses(url: str, tmp_path: Path, empty_url: str) -> None:
    path = written(tmp_path, [FILED])
    with pytest.raises(SettingsError, match="there is no tenant 'nobody'"):
        loaded(url, "fundamentals", "nobody", path)
    with pytest.raises(SettingsError, match="'fundamental' is not a dataset"):
        loaded(url, "fundamental", "acme", path)
    with pytest.raises(SettingsError, match="has no meaning") as caught:
        loaded(url, "fundamentals", "acme", path, commit_every=10)
    assert caught.value.option == "--commit-every"
    with pytest.raises(SettingsError, match="has no meaning for fundamentals") as caught:
        loaded(url, "fundamentals", "acme", path, stamp="end")
    assert caught.value.option == "--stamp"
    with pytest.raises(SchemaOutOfDate, match="no tables of tenants yet"):
        loaded(empty_url, "fundamentals", "acme", path)
    failed = loaded(url, "fundamentals", "acme", path)  # no vendor
    assert failed.exit_code == ColumnMismatch.exit_code
    assert "--provider VALUE" in str(failed.hint)
    with pytest.raises(SettingsError, match="is a dataset of a tenant"):
        chosen.check(Settings(dataset="news"), typed=True)
    chosen.check(Settings(dataset="news"))  # a job's own name for its bars


@not_on_citus("its extension is in the schema that this drops")
def test_a_table_that_was_altered_is_refused(url: str, tmp_path: Path) -> None:
    path = written(tmp_path, [FILED])
    for change, fault in (
        (
            "ALTER TABLE fundamentals NO FORCE ROW LEVEL SECURITY",
            "row-level security is not forced",
        ),
        ("ALTER TABLE fundamentals_revisions ALTER old_eps TYPE text", "old_eps was altered"),
        ("ALTER TABLE fundamentals DROP CONSTRAINT fundamentals_pk", "has no unique key"),
    ):
        with psycopg.connect(url) as connection:
            connection.execute(change.encode())
            connection.commit()
        result = loaded(url, "fundamentals", "acme", path, provider="fmp")
        assert (fault in str(result.error), result.exit_code) == (True, DatabaseError.exit_code)
        fetch(url, "DROP SCHEMA public CASCADE; CREATE SCHEMA public")
        from loader.store import schema

        schema.upgrade(url)
        with_tenants(url, "acme")


def test_a_tenant_may_be_named_by_its_id(url: str, tmp_path: Path) -> None:
    mine = added(url, "initech")
    fundamentals(url, written(tmp_path, [FILED]), mine)
    assert len(of(url, "initech", "SELECT FROM fundamentals")) == 1
    ((dataset, tenant),) = fetch(
        url, "SELECT dataset_name, metadata->>'tenant' FROM job_runs ORDER BY id DESC LIMIT 1"
    )
    assert (dataset, tenant) == ("fundamentals", mine)


MIXED = [
    {**FILED, "period": "FY", "eps": "6.11"},
    {**FILED, "period": "Q4", "eps": "1.88"},
    {**NEXT, "period": "Q1", "eps": "1.52"},
]


def test_annual_and_quarterly_figures_never_meet_in_one_key(url: str, tmp_path: Path) -> None:
    """Else the last row of the day would count, and the eps of a year stand for a quarter's."""
    path = written(tmp_path, MIXED)
    error = loaded(url, "fundamentals", "acme", path, provider="fmp").error
    assert error is not None
    assert "column 'period' has annual and quarterly figures ('FY', 'Q4')" in error
    assert of(url, "acme", "SELECT FROM fundamentals") == []
    annual = loaded(
        url, "fundamentals", "acme", path, provider="fmp-annual", where={"period": "FY"}
    )
    assert annual.counts == Counts(read=3, inserted=1, skipped=2)
    quarters = fundamentals(url, path, where={"period": "Q1|Q2|Q3|Q4"})
    assert quarters == Counts(read=3, inserted=2, skipped=1)
    assert of(url, "acme", "SELECT vendor, asof, eps FROM fundamentals ORDER BY vendor, asof") == [
        ("fmp", date(2022, 12, 31), Decimal("1.8800")),
        ("fmp", date(2023, 3, 31), Decimal("1.5200")),
        ("fmp-annual", date(2022, 12, 31), Decimal("6.1100")),
    ]


def test_where_over_many_batches(url: str, tmp_path: Path) -> None:
    """Batches of rows that nobody asked for count as skipped, also before the first wanted one."""
    path = written(tmp_path, [MIXED[1], MIXED[2], MIXED[0]])
    counts = fundamentals(url, path, where={"period": "FY"}, batch_rows=1)
    assert counts == Counts(read=3, inserted=1, skipped=2)
    error = loaded(
        url, "fundamentals", "acme", path, provider="x", where={"period": "H1"}, batch_rows=1
    ).error
    assert "no row has period=H1, and column 'period' has 'Q4', 'Q1', 'FY'" in str(error)


def test_a_mixture_that_shows_in_a_later_batch_is_refused_whole(url: str, tmp_path: Path) -> None:
    path = written(tmp_path, [MIXED[1], MIXED[2], MIXED[0]])
    result = loaded(url, "fundamentals", "acme", path, provider="fmp", batch_rows=1)
    assert "quarterly and annual figures" in str(result.error)
    assert of(url, "acme", "SELECT FROM fundamentals") == []


def test_symbols_from_names_and_folders(url: str, tmp_path: Path) -> None:
    """As vendors deliver them: one file a symbol, without a column for it."""
    row = {name: value for name, value in FILED.items() if name != "ticker"}
    for name in ("income_IBM.csv", "symbol=MSFT/income.csv"):
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(written(tmp_path, [row]).read_bytes())
    assert fundamentals(
        url, tmp_path / "income_IBM.csv", name_pattern="income_{symbol}.csv"
    ) == Counts(read=1, inserted=1)  # fmt: skip
    assert fundamentals(url, tmp_path / "symbol=MSFT" / "income.csv") == Counts(read=1, inserted=1)
    assert of(url, "acme", "SELECT symbol FROM fundamentals ORDER BY 1") == [("IBM",), ("MSFT",)]


#: The last day of each month that periods end with here.
_ENDS = {3: 31, 6: 30, 9: 30, 12: 31}


def income(periods: int, *, months: int, revenue: int, symbol: str = "A") -> list[dict[str, str]]:
    """Periods of `months`, the first one up to the end of September 2020; each was filed in
    the November of the next year."""
    ends = [divmod(2020 * 12 + 8 + n * months, 12) for n in range(periods)]
    return [
        {
            "symbol": symbol,
            "asof": f"{year}-{month + 1:02}-{_ENDS[month + 1]}",
            "filed_at": f"{year + 1}-11-03",
            "revenue": str(revenue + n),
            "net_income": str(revenue // 5 + n),
            "eps": "1.5",
        }
        for n, (year, month) in enumerate(ends)
    ]


def test_annual_figures_are_refused_where_quarterly_ones_are_stored(
    url: str, tmp_path: Path
) -> None:
    quarterly = income(9, months=3, revenue=90_000)
    annual = written(tmp_path, income(3, months=12, revenue=380_000))
    fundamentals(url, written(tmp_path, quarterly))
    for dry in (True, False):
        result = loaded(url, "fundamentals", "acme", annual, provider="fmp", dry_run=dry)
        assert (result.state, result.exit_code) == ("failed", 4)
        assert "the amounts of 3 of 3 periods that are stored already would be 4.22" in str(
            result.error
        )
        assert "the first of A at 2020-09-30" in str(result.error)
        assert "--accept period" in str(result.hint)
    stored_rows = "SELECT count(*), max(revenue) FROM fundamentals"
    assert of(url, "acme", stored_rows) == [(9, 90_008)]
    assert of(url, "acme", "SELECT FROM fundamentals_revisions") == []
    assert loaded(url, "fundamentals", "acme", annual, provider="fmp-annual").error is None
    accepted = fundamentals(url, annual, accept=("period",))
    assert accepted == Counts(read=3, updated=3)


@pytest.mark.parametrize(
    ("rows", "accepted"),
    [
        # An older filing of a year comes after its last quarter: it would become its older version.
        ([{"filed_at": "2020-10-30", "revenue": "400000", "net_income": "80000"}], False),
        ([{"revenue": "45000", "net_income": "9000"}], False),
        ([{"revenue": "90000000", "net_income": "18000000"}], False),  # in another unit
        # One amount stays what it was: the others were restated.
        ([{"revenue": "90000", "net_income": "80000"}], True),
        ([{"revenue": "", "net_income": "", "eps": "6"}], True),  # after a split
        ([{"revenue": "400000", "net_income": "80000"},
          {"asof": "2021-09-30", "filed_at": "2023-11-03"},
          {"asof": "2022-09-30", "filed_at": "2023-11-03"}], True),  # one of three
        # Both in one file, in which no column says so.
        ([{"asof": "2020-06-30"}, {"asof": "2020-06-30", "revenue": "400000", "net_income": "9e4"}],
         False),
    ],
)  # fmt: skip
def test_amounts_of_other_periods_are_seen(
    url: str, tmp_path: Path, rows: list[dict[str, str]], accepted: bool
) -> None:
    first = income(3, months=12, revenue=90_000)
    fundamentals(url, written(tmp_path, first))
    path = written(tmp_path, [{**first[0], "revenue": "90000", **row} for row in rows])
    result = loaded(url, "fundamentals", "acme", path, provider="fmp")
    assert result.exit_code == (0 if accepted else 4)


def test_one_company_among_many_is_seen(url: str, tmp_path: Path) -> None:
    many = [row for n in range(9) for row in income(2, months=12, revenue=50_000, symbol=f"S{n}")]
    fundamentals(url, written(tmp_path, many))
    again = [*many[2:], *income(2, months=12, revenue=200_000, symbol="S0")]
    result = loaded(url, "fundamentals", "acme", written(tmp_path, again), provider="fmp")
    assert "the amounts of 2 of 2 periods" in str(result.error)
    restated = [*many[1:], *income(1, months=12, revenue=200_000, symbol="S0")]  # tiny: it happens
    assert fundamentals(url, written(tmp_path, restated)).updated == 1


HOUR = {"symbol": "fb", "interval": "1h", "open": 1, "high": 3, "low": 1, "close": 2}


def test_times_that_are_ends_and_renames_that_begin_on_a_day(url: str, tmp_path: Path) -> None:
    renames = tmp_path / "renames.csv"
    renames.write_text("from,to,provider,valid_from,valid_to\nfb,META,p,2022-06-09,\n")
    rows = [{**HOUR, "time": f"2022-06-{day} 10:00"} for day in ("08", "09")]
    result = loaded(
        url, "bars", "acme", written(tmp_path, rows), provider="p", stamp="end",
        timezone="America/New_York", symbol_map=symbol_map.read(str(renames)),
    )  # fmt: skip
    assert result.counts == Counts(read=2, inserted=2)
    assert of(url, "acme", "SELECT symbol, ts FROM bars ORDER BY ts") == [
        ("FB", datetime(2022, 6, 8, 13, tzinfo=UTC)),
        ("META", datetime(2022, 6, 9, 13, tzinfo=UTC)),
    ]


@pytest.mark.parametrize(("time", "refused"), [("2022-06-08 00:00", True), ("2022-06-08", False)])
def test_where_a_bar_of_a_day_ends_its_date_has_to_say(
    url: str, tmp_path: Path, time: str, refused: bool
) -> None:
    path = written(tmp_path, [{**HOUR, "interval": "1d", "time": time}])
    result = loaded(url, "bars", "acme", path, provider="p", stamp="end", timezone="UTC")
    assert ("the session is not certain" in str(result.error)) is refused
    assert of(url, "acme", "SELECT ts FROM bars") == (
        [] if refused else [(datetime(2022, 6, 8, tzinfo=UTC),)]
    )
