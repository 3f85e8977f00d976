-- first_load_fits --
-- Whether the table of bars is empty, and its key can be dropped and made again without a trace: a plain table of this
-- role, with the key as the migrations make it, on which nothing depends (foreign keys, views, a publication, replica
-- identity, clustering, comments), without triggers and rules of others, and nobody looks at each ALTER TABLE (but Citus,
-- for its own tables). Other indexes stay.
SELECT EXISTS (
    SELECT
      FROM pg_class c
      JOIN pg_namespace n ON n.oid = c.relnamespace
      JOIN pg_constraint k ON k.conrelid = c.oid AND k.contype = 'p'
      JOIN pg_index i ON i.indexrelid = k.conindid
      JOIN pg_class x ON x.oid = i.indexrelid
     WHERE c.oid = to_regclass('bars_ohlcv')
       AND c.relkind = 'r' AND c.relpersistence = 'p' AND c.relreplident = 'd'
       AND NOT (c.relispartition OR c.relrowsecurity)
       AND pg_has_role(c.relowner, 'USAGE') AND has_schema_privilege(n.oid, 'CREATE')
       AND k.conname = 'bars_ohlcv_pk' AND NOT k.condeferrable
       AND pg_get_constraintdef(k.oid) = 'PRIMARY KEY (provider, symbol, "interval", ts)'
       AND i.indisvalid AND NOT (i.indisclustered OR i.indisreplident)
       AND x.reloptions IS NULL AND x.reltablespace = 0 AND current_setting('default_tablespace') = ''
       AND NOT EXISTS (SELECT FROM pg_inherits h WHERE h.inhparent = c.oid OR h.inhrelid = c.oid)
       AND NOT EXISTS (SELECT FROM pg_trigger t JOIN pg_proc p ON p.oid = t.tgfoid
                        WHERE t.tgrelid = c.oid AND NOT t.tgisinternal AND p.proname NOT LIKE 'mdload%')
       AND NOT EXISTS (SELECT FROM pg_rewrite r WHERE r.ev_class = c.oid)
       AND NOT EXISTS (SELECT FROM pg_publication_tables p
                        WHERE p.schemaname = n.nspname AND p.tablename = c.relname)
       AND NOT EXISTS (SELECT FROM pg_event_trigger e
                        WHERE e.evtenabled <> 'D'
                          AND NOT EXISTS (SELECT FROM pg_depend d JOIN pg_extension o ON o.oid = d.refobjid
                                           WHERE d.classid = CAST('pg_event_trigger' AS regclass) AND d.objid = e.oid
                                             AND d.refclassid = CAST('pg_extension' AS regclass) AND d.deptype = 'e'
                                             AND o.extname = 'citus'))
       AND NOT EXISTS (SELECT FROM pg_depend d
                        WHERE (d.refclassid = CAST('pg_constraint' AS regclass) AND d.refobjid = k.oid AND d.deptype <> 'i')
                           OR (d.refclassid = CAST('pg_class' AS regclass) AND d.refobjid = x.oid))
       AND NOT EXISTS (SELECT FROM pg_description d WHERE d.objoid IN (k.oid, x.oid))
       AND pg_relation_size(c.oid) = 0)

-- first_load_announce --
-- Is a load from now on, for those who want a settled store; unless one of them is at it.
SELECT pg_try_advisory_xact_lock_shared(120278083395941)

-- first_load_hold --
-- Takes the table of bars for this transaction alone; does not wait for it.
LOCK TABLE bars_ohlcv IN ACCESS EXCLUSIVE MODE NOWAIT

-- first_load_key_drop --
-- Drops the key until first_load_key_make.
ALTER TABLE bars_ohlcv DROP CONSTRAINT bars_ohlcv_pk

-- first_load_key_make --
-- Makes the key again.
ALTER TABLE bars_ohlcv ADD CONSTRAINT bars_ohlcv_pk PRIMARY KEY (@key)
