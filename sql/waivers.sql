-- waivers --
-- Every waived gap, by symbol and then in the order of the waivers.
SELECT id, provider, symbol, "interval", first_session, last_session, first_ts, last_ts, reason, waived_by,
       created_at
  FROM bars_gap_waivers
 ORDER BY symbol, id

-- waiver_add --
-- Waives a gap, unless it is waived already. $1 symbol, $2 provider, $3 interval (NULL: all), $4, $5 first and
-- last session, $6, $7 first and last ts (of the four two are NULL), $8 reason.
INSERT INTO bars_gap_waivers (symbol, provider, "interval", first_session, last_session, first_ts, last_ts, reason)
VALUES (CAST($1 AS text), CAST($2 AS text), CAST($3 AS text), CAST(CAST($4 AS text) AS date),
        CAST(CAST($5 AS text) AS date), CAST(CAST($6 AS text) AS timestamptz),
        CAST(CAST($7 AS text) AS timestamptz), CAST($8 AS text))
ON CONFLICT DO NOTHING

-- waiver_withdraw --
-- Deletes waiver $1. Returns its number, if there was one.
DELETE FROM bars_gap_waivers WHERE id = CAST($1 AS bigint) RETURNING id
