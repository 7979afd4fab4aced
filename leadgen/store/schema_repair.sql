-- Brings back what holds no data: grants, triggers, rules, row security and policies. A column, table or function that is
-- not expected stays: somebody has to look at it first. Run by a superuser in one transaction, in which the temporary
-- relations `expected` (the lines of schema_facts.txt) and `found` (the query of schema_facts.sql) exist.
DO $$
DECLARE
    fact text;
    part text[];
BEGIN
    FOR fact IN SELECT line FROM found EXCEPT SELECT line FROM expected LOOP
        CASE split_part(fact, ' ', 1)
            WHEN 'GRANT' THEN
                part := regexp_match(fact, '^GRANT (.*) TO (.*?)( WITH GRANT OPTION)?$');
                EXECUTE format('REVOKE %s FROM %s CASCADE', part[1], part[2]);
            WHEN 'trigger' THEN
                part := regexp_match(fact, '^trigger CREATE (?:CONSTRAINT )?TRIGGER ("(?:[^"]|"")+"|\S+) .*? ON (app\.(?:"(?:[^"]|"")+"|\S+)) ');
                EXECUTE format('DROP TRIGGER %s ON %s', part[1], part[2]);
            WHEN 'rule' THEN
                part := regexp_match(fact, '^rule CREATE RULE ("(?:[^"]|"")+"|\S+) AS\s+ON \w+ TO (app\.(?:"(?:[^"]|"")+"|[^\s;]+))');
                EXECUTE format('DROP RULE %s ON %s', part[1], part[2]);
            WHEN 'row' THEN
                EXECUTE format('ALTER TABLE %s DISABLE ROW LEVEL SECURITY', split_part(fact, ' on ', 2));
            WHEN 'policy' THEN
                EXECUTE 'DROP ' || fact;
            WHEN 'disabled' THEN
                EXECUTE format('ALTER TABLE %s ENABLE TRIGGER ALL', split_part(fact, ' on ', 2));
            ELSE
                NULL;
        END CASE;
    END LOOP;
    FOR fact IN SELECT line FROM expected EXCEPT SELECT line FROM found LOOP
        CASE split_part(fact, ' ', 1)
            WHEN 'GRANT' THEN
                EXECUTE fact;
            WHEN 'trigger' THEN
                EXECUTE substr(fact, length('trigger ') + 1);
            ELSE
                NULL;
        END CASE;
    END LOOP;
END
$$;
