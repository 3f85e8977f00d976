"""A file's row in the ledger says what all its parts have in common."""

from __future__ import annotations

import pytest

from loader.ingest.books import joined, refused_hint
from loader.ingest.tally import Tally
from loader.results import Counts, FileResult


@pytest.mark.parametrize(
    ("parts", "provider"),
    [
        ([{"p"}, {"p"}], "p"),
        ([{"p", "q"}, {"p"}], None),
        ([{"p"}, {"q"}], None),
        ([{"p"}, {"q"}, {"p"}], None),
        ([set(), {"p"}], "p"),
        ([{"p"}, set()], "p"),
        ([{"p", "q"}, set(), {"q"}], None),
    ],
)
def test_the_provider_is_that_of_all_parts(parts: list[set[str]], provider: str | None) -> None:
    result = FileResult("x.csv", "partial")
    for found in parts:
        symbols = {"A"} if found else set()  # a part may have rejected rows only
        tally = Tally(providers=found, intervals={"1m"} if found else set(), symbols=symbols)
        result = joined(result, tally, Counts())
    assert (result.provider, result.interval) == (provider, "1m")


def test_the_next_step_after_prices_of_zero_and_below() -> None:
    option = "if prices of zero and below are right: --allow-nonpositive-prices"
    assert str(refused_hint("x.csv", 7, ["volume_negative", "price_not_positive"])).endswith(option)
    assert "--allow" not in str(refused_hint("x.csv", 7, ["volume_negative"]))
