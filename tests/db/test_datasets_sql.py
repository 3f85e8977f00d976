"""Statements derive from descriptions of datasets; those of the bars are as they were by hand."""

from __future__ import annotations

import pytest

from loader.db.queries import queries, query
from loader.errors import SettingsError
from loader.settings.datasets import BARS_OHLCV, TENANT, dataset

#: As they were before there was another dataset.
BY_HAND = {
    "stage_create": """CREATE TEMPORARY TABLE mdload_stage ("provider" text COLLATE "C" NOT NULL, "symbol" text COLLATE "C" NOT NULL, "interval" text COLLATE "C" NOT NULL, "ts" timestamptz NOT NULL, "open" double precision NOT NULL, "high" double precision NOT NULL, "low" double precision NOT NULL, "close" double precision NOT NULL, "volume" double precision, "vwap" double precision, "trade_count" bigint) ON COMMIT DROP""",  # noqa: E501
    "bars_upsert": """WITH written AS (
    INSERT INTO bars_ohlcv AS b ("provider", "symbol", "interval", "ts", "open", "high", "low", "close", "volume", "vwap", "trade_count")
    SELECT "provider", "symbol", "interval", "ts", "open", "high", "low", "close", "volume", "vwap", "trade_count"
      FROM pg_temp.mdload_stage
     ORDER BY "provider", "symbol", "interval", "ts"
        ON CONFLICT ("provider", "symbol", "interval", "ts") DO UPDATE SET "open" = EXCLUDED."open", "high" = EXCLUDED."high", "low" = EXCLUDED."low", "close" = EXCLUDED."close", "volume" = EXCLUDED."volume", "vwap" = EXCLUDED."vwap", "trade_count" = EXCLUDED."trade_count" WHERE (b."open", b."high", b."low", b."close", b."volume", b."vwap", b."trade_count") IS DISTINCT FROM (EXCLUDED."open", EXCLUDED."high", EXCLUDED."low", EXCLUDED."close", EXCLUDED."volume", EXCLUDED."vwap", EXCLUDED."trade_count")
    RETURNING (b.xmax = 0) AS inserted)
SELECT count(*) FILTER (WHERE inserted), count(*) FILTER (WHERE NOT inserted)
  FROM written""",  # noqa: E501
    "bars_revise": """WITH written AS (
    INSERT INTO bars_ohlcv AS b ("provider", "symbol", "interval", "ts", "open", "high", "low", "close", "volume", "vwap", "trade_count")
    SELECT "provider", "symbol", "interval", "ts", "open", "high", "low", "close", "volume", "vwap", "trade_count"
      FROM pg_temp.mdload_stage
     ORDER BY "provider", "symbol", "interval", "ts"
        ON CONFLICT ("provider", "symbol", "interval", "ts") DO UPDATE SET "open" = EXCLUDED."open", "high" = EXCLUDED."high", "low" = EXCLUDED."low", "close" = EXCLUDED."close", "volume" = EXCLUDED."volume", "vwap" = EXCLUDED."vwap", "trade_count" = EXCLUDED."trade_count", updated_at = EXCLUDED.updated_at
                    WHERE (b."open", b."high", b."low", b."close", b."volume", b."vwap", b."trade_count") IS DISTINCT FROM (EXCLUDED."open", EXCLUDED."high", EXCLUDED."low", EXCLUDED."close", EXCLUDED."volume", EXCLUDED."vwap", EXCLUDED."trade_count")
    RETURNING b."provider", b."symbol", b."interval", b."ts", b."open", b."high", b."low", b."close", b."volume", b."vwap", b."trade_count", old."open" AS "old_open", old."high" AS "old_high", old."low" AS "old_low", old."close" AS "old_close", old."volume" AS "old_volume", old."vwap" AS "old_vwap", old."trade_count" AS "old_trade_count", old.created_at AS old_created_at,
              old.updated_at AS old_updated_at, old.ts IS NULL AS inserted
), kept AS (
    INSERT INTO bars_ohlcv_revisions ("provider", "symbol", "interval", "ts", "old_open", "old_high", "old_low", "old_close", "old_volume", "old_vwap", "old_trade_count", "new_open", "new_high", "new_low", "new_close", "new_volume", "new_vwap", "new_trade_count", run_id, file_id,
                                      old_created_at, old_updated_at)
    SELECT "provider", "symbol", "interval", "ts", "old_open", "old_high", "old_low", "old_close", "old_volume", "old_vwap", "old_trade_count", "open", "high", "low", "close", "volume", "vwap", "trade_count", CAST($1 AS bigint), CAST($2 AS bigint), old_created_at, old_updated_at
      FROM written
     WHERE NOT inserted
    RETURNING 1)
SELECT count(*) FILTER (WHERE inserted), count(*) FILTER (WHERE NOT inserted), (SELECT count(*) FROM kept)
  FROM written""",  # noqa: E501
}


@pytest.mark.parametrize("name", BY_HAND)
def test_the_merge_of_the_bars_is_byte_for_byte_as_it_was(name: str) -> None:
    assert query(name) == query(name, BARS_OHLCV) == BY_HAND[name]


def test_a_query_of_another_dataset_has_its_table_and_columns() -> None:
    assert query("bars_hold", TENANT["news"]) == "SELECT FROM news LIMIT 0"
    assert query("bars_upsert", TENANT["bars"]).count("bars_ohlcv") == 0
    assert queries().keys() == queries("fundamentals").keys()


def test_an_unknown_dataset_names_the_nearest() -> None:
    with pytest.raises(SettingsError, match="'fundamental' is not a dataset") as caught:
        dataset("fundamental")
    assert caught.value.hint == "did you mean fundamentals?"
