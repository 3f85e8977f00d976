-- bars_chunked --
-- Whether bars_ohlcv is a hypertable that has chunks.
SELECT EXISTS (SELECT FROM pg_inherits WHERE inhparent = to_regclass('bars_ohlcv'))
       AND EXISTS (SELECT FROM pg_extension WHERE extname = 'timescaledb')

-- bars_chunks --
-- The chunks of the bars in order of time: name, first instant, first instant after it, whether it is compressed (its
-- newest rows may not be), whether the policy would compress it. Only if TimescaleDB is installed.
WITH bars AS (
    SELECT n.nspname AS hypertable_schema, c.relname AS hypertable_name
      FROM pg_class c
      JOIN pg_namespace n ON n.oid = c.relnamespace
     WHERE c.oid = to_regclass('bars_ohlcv'))
SELECT format('%I.%I', chunk_schema, chunk_name) AS chunk, range_start AS lo, range_end AS hi,
       is_compressed AS compressed,
       coalesce(range_end <= now() - (
           SELECT min(CAST(config ->> 'compress_after' AS interval))
             FROM timescaledb_information.jobs JOIN bars USING (hypertable_schema, hypertable_name)), false) AS due
  FROM timescaledb_information.chunks JOIN bars USING (hypertable_schema, hypertable_name)
 ORDER BY range_start

-- chunks_filled --
-- How many bars each chunk holds and how many symbols they have, as its statistics say; no row for a chunk that was never
-- analyzed. Only if TimescaleDB is installed.
SELECT format('%I.%I', n.nspname, c.relname) AS chunk, CAST(c.reltuples AS double precision) AS bars,
       CASE WHEN s.n_distinct < 0 THEN -s.n_distinct * c.reltuples ELSE s.n_distinct END AS symbols
  FROM pg_inherits i
  JOIN pg_class c ON c.oid = i.inhrelid
  JOIN pg_namespace n ON n.oid = c.relnamespace
  JOIN pg_stats s ON s.schemaname = n.nspname AND s.tablename = c.relname AND s.attname = 'symbol'
 WHERE i.inhparent = to_regclass('bars_ohlcv') AND c.reltuples > 0

-- chunks_beside --
-- The compressed chunks that have rows or dead space beside what is compressed, in order of time: name, first instant,
-- first instant after it, bytes beside. $1 a moment: only chunks that end after it; NULL for all. An emptied chunk keeps
-- one page of its index.
SELECT chunk, lo, hi, pg_total_relation_size(CAST(chunk AS regclass)) AS bytes
  FROM (SELECT format('%I.%I', chunk_schema, chunk_name) AS chunk, range_start AS lo, range_end AS hi
          FROM timescaledb_information.chunks
         WHERE hypertable_schema = current_schema() AND hypertable_name = 'bars_ohlcv' AND is_compressed
           AND (CAST($1 AS timestamptz) IS NULL OR range_end > CAST($1 AS timestamptz))) c
 WHERE pg_relation_size(CAST(chunk AS regclass)) > 0
    OR pg_indexes_size(CAST(chunk AS regclass)) > 4 * CAST(current_setting('block_size') AS bigint)
 ORDER BY lo, chunk

-- chunk_give_back --
-- Composes the statements that give the disk of chunk $1 back, once its rows are compressed: VACUUM cuts off the emptied
-- table, REINDEX makes its index anew. From now on the session waits no longer than 10 s for a lock.
SELECT set_config('lock_timeout', '10s', false) AS patience, format('VACUUM (SKIP_LOCKED) %s', CAST(CAST($1 AS text) AS regclass)) AS vacuum,
       format('REINDEX TABLE %s', CAST(CAST($1 AS text) AS regclass)) AS reindex

-- decompression_unlimited --
-- Lets this transaction decompress any number of rows. Unchanged bars have been left out before, so these are the ones
-- that the load changes.
SELECT set_config('timescaledb.max_tuples_decompressed_per_dml_transaction', '0', true)

-- stage_by_time --
-- An index for keeping revisions chunk by chunk.
CREATE INDEX ON pg_temp.mdload_stage (ts)

-- chunk_compress --
-- Compresses chunk $1, or the uncompressed rows in it. Does not wait long for another writer.
WITH patience AS MATERIALIZED (SELECT set_config('lock_timeout', '10s', true))
SELECT CAST(compress_chunk(CAST(CAST($1 AS text) AS regclass), true) AS text) FROM patience
