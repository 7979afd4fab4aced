-- Everything that PLAT_08 manages in the database, one line per fact, in a fixed order.
SELECT line COLLATE "C" FROM (
    SELECT concat_ws(' ', 'schema', nspname, 'owned by', nspowner::regrole, nspacl::text) FROM pg_namespace WHERE nspname = 'backup'
    UNION ALL
    SELECT concat_ws(' ', 'column', attrelid::regclass, attname, format_type(atttypid, atttypmod), CASE WHEN attnotnull THEN 'not null' END)
    FROM pg_attribute JOIN pg_class ON pg_class.oid = attrelid
    WHERE relnamespace = to_regnamespace('backup') AND relkind = 'r' AND attnum > 0 AND NOT attisdropped
    UNION ALL
    SELECT concat_ws(' ', 'constraint', conrelid::regclass, pg_get_constraintdef(oid)) FROM pg_constraint
    WHERE connamespace = to_regnamespace('backup') AND contype <> 'n'
    UNION ALL
    SELECT concat_ws(' ', 'rights', oid::regclass, relacl::text) FROM pg_class WHERE relnamespace = to_regnamespace('backup') AND relkind = 'r'
) AS lines (line) ORDER BY 1;
