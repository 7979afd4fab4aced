-- Brings back what holds no data: grants, triggers, rules, row security and policies. What else differs stays, because
-- somebody has to look at it first. Run by a superuser in one transaction, in which the temporary relations `expected` (the
-- lines of schema_facts.txt) and `found` (the query of schema_facts.sql) exist, with search_path = pg_catalog.
-- A repair that waits long for its lock makes every request queue up behind it.
SET LOCAL lock_timeout = '2s';
SET LOCAL statement_timeout = '30s';

DO $$
DECLARE
    statement text;
BEGIN
    FOR statement IN SELECT undo FROM pg_temp.found WHERE undo IS NOT NULL AND line NOT IN (SELECT line FROM pg_temp.expected) LOOP
        EXECUTE statement;
    END LOOP;
    -- These lines are the release's own.
    FOR statement IN
        SELECT regexp_replace(line, '^trigger ', '') FROM pg_temp.expected
        WHERE line ~ '^(GRANT|trigger) ' AND line NOT IN (SELECT line FROM pg_temp.found)
    LOOP
        BEGIN
            EXECUTE statement;
        EXCEPTION WHEN undefined_table OR undefined_function OR undefined_column OR undefined_object THEN
            NULL; -- what it belongs to is gone, and the comparison names that
        END;
    END LOOP;
END
$$;
