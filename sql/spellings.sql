-- spellings_stored --
-- Other stored spellings of the given symbols, as a JSON array of (provider, source_symbol, symbol, convention). $1 JSON
-- array of the same.
SELECT CAST(coalesce(json_agg(DISTINCT jsonb_build_object(
           'provider', p.provider, 'source_symbol', p.source_symbol, 'symbol', p.symbol,
           'convention', p.convention)), '[]') AS text)
  FROM json_to_recordset(CAST(CAST($1 AS text) AS json))
       AS w(provider text, source_symbol text, symbol text)
  JOIN provider_symbols p ON p.provider = w.provider AND p.symbol = w.symbol
 WHERE p.source_symbol <> w.source_symbol

-- spellings_keep --
-- Stores spellings that are new; known ones are not touched. $1 JSON array of (provider, source_symbol,
-- symbol, convention), $2 run. Returns how many were new, and what spellings_stored does: no statement sees what
-- another part of it stores.
WITH kept AS (
    INSERT INTO provider_symbols (provider, source_symbol, symbol, convention, first_run_id)
    SELECT w.provider, w.source_symbol, w.symbol, w.convention, CAST($2 AS bigint)
      FROM json_to_recordset(CAST(CAST($1 AS text) AS json))
           AS w(provider text, source_symbol text, symbol text, convention text)
     WHERE NOT EXISTS (SELECT FROM provider_symbols p
                        WHERE p.provider = w.provider AND p.source_symbol = w.source_symbol)
     ORDER BY 1, 2, 3
        ON CONFLICT DO NOTHING
    RETURNING 1)
SELECT (SELECT count(*) FROM kept),
       (SELECT CAST(coalesce(json_agg(DISTINCT jsonb_build_object(
                   'provider', p.provider, 'source_symbol', p.source_symbol, 'symbol', p.symbol,
                   'convention', p.convention)), '[]') AS text)
          FROM json_to_recordset(CAST(CAST($1 AS text) AS json))
               AS w(provider text, source_symbol text, symbol text)
          JOIN provider_symbols p ON p.provider = w.provider AND p.symbol = w.symbol
         WHERE p.source_symbol <> w.source_symbol)
