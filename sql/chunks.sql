-- bars_chunked --
-- Whether bars_ohlcv is a hypertable that has chunks.
SELECT EXISTS (SELECT FROM pg_inherits WHERE inhparent = to_regclass('bars_ohlcv'))
       AND EXISTS (SELECT FROM pg_extension WHERE extname = 'timescaledb')

-- bars_chunks --
-- The chunks of the bars in order of time: name, first instant, first one after it, whether compressed (the newest
-- rows of such a chunk may lie beside the compressed ones). Only where TimescaleDB is installed.
SELECT format('%I.%I', chunk_schema, chunk_name) AS chunk, range_start AS lo, range_end AS hi,
       is_compressed AS compressed
  FROM timescaledb_information.chunks
 WHERE hypertable_schema = current_schema() AND hypertable_name = 'bars_ohlcv'
 ORDER BY range_start

-- decompression_unlimited --
-- For this transaction alone: how many rows it may take out of compressed chunks. What is the same has been left out
-- before, so that the rest is what the load changes.
SELECT set_config('timescaledb.max_tuples_decompressed_per_dml_transaction', '0', true)

-- stage_by_time --
-- For revisions to be kept chunk by chunk.
CREATE INDEX ON pg_temp.mdload_stage (ts)
