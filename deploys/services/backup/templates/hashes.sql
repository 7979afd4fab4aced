-- One line per table of the company: name, rows, and a sum of hashes that does not depend on the order of rows. psql runs it, inside
-- the caller's transaction if there is one. Left out is the schema `backup`, whose rows the backups themselves change.
-- Everything that shapes a value's text is fixed here, so that two servers print the same for the same rows.
SET DateStyle = 'ISO, YMD';
SET IntervalStyle = 'postgres';
SET TimeZone = 'UTC';
SET extra_float_digits = 1;
SET bytea_output = 'hex';
SET search_path = pg_catalog;
SELECT string_agg(
    format(
        'SELECT %L, count(*), coalesce(sum(hashtextextended(whole_row::text, 0)), 0) FROM ONLY %I.%I AS whole_row',
        nspname || '.' || relname, nspname, relname
    ),
    ' UNION ALL ' ORDER BY nspname COLLATE "C", relname COLLATE "C"
) || ' ORDER BY 1'
FROM pg_class JOIN pg_namespace ON pg_namespace.oid = relnamespace
WHERE relkind IN ('r', 'm') AND relpersistence = 'p' AND nspname !~ '^(pg_|information_schema$|backup$)'
\gexec
