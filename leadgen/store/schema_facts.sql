-- Everything that decides what the schema `app` accepts and shows, one line per fact: schema_facts.txt has the lines that
-- the migrations make. `undo` is the statement that removes a fact that is not expected, where it holds no data. Run by a
-- superuser with search_path = pg_catalog: names are then qualified, and only PostgreSQL's own functions are called.
WITH ours AS (
    SELECT oid, oid::regclass AS name, relkind AS kind, relowner AS owner, relacl AS acl, relrowsecurity, relforcerowsecurity,
        relpersistence, relreplident, reloptions
    FROM pg_class WHERE relnamespace = 'app'::regnamespace AND relkind IN ('r', 'p', 'f', 'v', 'm', 'S')
),
rights (thing, owner, acl, untouched) AS (
    SELECT 'table ' || name, owner, coalesce(acl, acldefault('r', owner)), acldefault('r', owner) FROM ours WHERE kind <> 'S'
    UNION ALL
    SELECT 'sequence ' || name, owner, coalesce(acl, acldefault('s', owner)), acldefault('s', owner) FROM ours WHERE kind = 'S'
    UNION ALL
    SELECT 'routine ' || oid::regprocedure, proowner, coalesce(proacl, acldefault('f', proowner)), acldefault('f', proowner)
    FROM pg_proc WHERE pronamespace = 'app'::regnamespace
    UNION ALL
    SELECT 'schema ' || quote_ident(nspname), nspowner, coalesce(nspacl, acldefault('n', nspowner)), acldefault('n', nspowner)
    FROM pg_namespace WHERE nspname = 'app'
),
grants (privilege, thing, grantee, grantable) AS (
    SELECT privilege_type, thing, grantee, is_grantable FROM rights, aclexplode(acl) WHERE grantee <> owner
    UNION ALL
    SELECT format('%s (%I)', privilege_type, attname), 'table ' || name, grantee, is_grantable
    FROM ours JOIN pg_attribute ON attrelid = ours.oid, aclexplode(attacl) WHERE NOT attisdropped
),
lacks (privilege, thing, owner) AS (
    SELECT privilege_type, thing, owner FROM rights, aclexplode(untouched) WHERE grantee = owner
    EXCEPT
    SELECT privilege_type, thing, owner FROM rights, aclexplode(acl) WHERE grantee = owner
)
SELECT translate(line, E'\n\r', '  ') COLLATE "C" AS line, undo FROM (
    SELECT concat_ws(' ', CASE kind WHEN 'r' THEN 'table' WHEN 'v' THEN 'view' WHEN 'S' THEN 'sequence' ELSE concat('relation ', kind) END,
        name, 'owned by', owner::regrole, CASE relpersistence WHEN 'u' THEN 'unlogged' END,
        CASE WHEN relreplident <> 'd' AND kind IN ('r', 'p') THEN concat('replica identity ', relreplident) END, reloptions::text,
        CASE WHEN kind IN ('v', 'm') THEN encode(sha256(convert_to(pg_get_viewdef(ours.oid), 'UTF8')), 'hex') END,
        'from ' || seqmin || ' to ' || seqmax || ' by ' || seqincrement, CASE WHEN seqcycle THEN 'cycle' END, nullif('cache ' || seqcache, 'cache 1')),
        NULL
    FROM ours LEFT JOIN pg_sequence ON seqrelid = ours.oid
    UNION ALL
    SELECT concat_ws(' ', 'column', name || '.' || quote_ident(attname), format_type(atttypid, atttypmod),
        CASE WHEN attcollation <> typcollation THEN 'collate ' || attcollation::regcollation END,
        CASE WHEN attnotnull THEN 'not null' END, 'default ' || pg_get_expr(adbin, adrelid),
        CASE attidentity WHEN 'a' THEN 'identity' WHEN 'd' THEN 'identity by default' END,
        CASE attgenerated WHEN 's' THEN 'generated' WHEN 'v' THEN 'generated virtual' END), NULL
    FROM ours JOIN pg_attribute ON attrelid = ours.oid JOIN pg_type ON pg_type.oid = atttypid
        LEFT JOIN pg_attrdef ON adrelid = attrelid AND adnum = attnum
    WHERE kind <> 'S' AND attnum > 0 AND NOT attisdropped
    UNION ALL
    SELECT concat_ws(' ', 'index', pg_get_indexdef(indexrelid), CASE WHEN NOT indisvalid THEN 'invalid' END), NULL
    FROM ours JOIN pg_index ON indrelid = ours.oid
    UNION ALL -- also foreign keys of other schemas, which would forbid an erase; NOT NULL is a fact of the column
    SELECT concat_ws(' ', 'constraint', quote_ident(conname), 'on', conrelid::regclass, pg_get_constraintdef(oid)), NULL
    FROM pg_constraint WHERE contype <> 'n' AND (conrelid IN (SELECT oid FROM ours) OR confrelid IN (SELECT oid FROM ours))
    UNION ALL
    SELECT 'trigger ' || pg_get_triggerdef(pg_trigger.oid), format('DROP TRIGGER %I ON %s', tgname, name)
    FROM ours JOIN pg_trigger ON tgrelid = ours.oid WHERE NOT tgisinternal
    UNION ALL -- those of a foreign key are internal, and are disabled with it
    SELECT DISTINCT 'disabled triggers on ' || name, format('ALTER TABLE %s ENABLE TRIGGER ALL', name)
    FROM ours JOIN pg_trigger ON tgrelid = ours.oid WHERE tgenabled <> 'O'
    UNION ALL
    SELECT 'rule ' || pg_get_ruledef(pg_rewrite.oid), format('DROP RULE %I ON %s', rulename, name)
    FROM ours JOIN pg_rewrite ON ev_class = ours.oid WHERE rulename <> '_RETURN'
    UNION ALL
    SELECT 'row security on ' || name, format('ALTER TABLE %s DISABLE ROW LEVEL SECURITY', name) FROM ours WHERE relrowsecurity
    UNION ALL
    SELECT 'forced row security on ' || name, format('ALTER TABLE %s NO FORCE ROW LEVEL SECURITY', name) FROM ours WHERE relforcerowsecurity
    UNION ALL
    SELECT format('policy %I on %s', polname, name), format('DROP POLICY %I ON %s', polname, name) FROM ours JOIN pg_policy ON polrelid = ours.oid
    UNION ALL
    SELECT format('%s inherits %s', inhrelid::regclass, inhparent::regclass), NULL
    FROM pg_inherits WHERE inhparent IN (SELECT oid FROM ours) OR inhrelid IN (SELECT oid FROM ours)
    UNION ALL -- its definition has all attributes; that of an aggregate cannot be had
    SELECT concat_ws(' ', 'routine', oid::regprocedure, 'owned by', proowner::regrole, CASE WHEN prosecdef THEN 'security definer' END,
        proconfig::text, encode(sha256(convert_to(CASE prokind WHEN 'a' THEN prosrc ELSE pg_get_functiondef(oid) END, 'UTF8')), 'hex')), NULL
    FROM pg_proc WHERE pronamespace = 'app'::regnamespace
    UNION ALL
    SELECT 'type ' || format_type(oid, NULL), NULL FROM pg_type WHERE typnamespace = 'app'::regnamespace AND typtype IN ('d', 'e', 'r')
    UNION ALL -- a copy of leads that an erase does not reach
    SELECT concat_ws(' ', 'relation outside', pg_class.oid::regclass, 'owned by', relowner::regrole), NULL
    FROM pg_class JOIN pg_namespace ON pg_namespace.oid = relnamespace
    WHERE relkind IN ('r', 'p', 'f', 'v', 'm') AND nspname NOT IN ('app', 'backup', 'information_schema') AND nspname NOT LIKE 'pg\_%'
    UNION ALL
    SELECT concat_ws(' ', 'default rights of', defaclrole::regrole, 'in', nullif(defaclnamespace, 0)::regnamespace, defaclacl), NULL
    FROM pg_default_acl
    UNION ALL
    SELECT format('event trigger %I', evtname), NULL FROM pg_event_trigger
    UNION ALL
    SELECT format('publication %I', pubname), NULL FROM pg_publication
    UNION ALL
    SELECT format('GRANT %s ON %s TO %s%s', privilege, thing, who, CASE WHEN grantable THEN ' WITH GRANT OPTION' END),
        format('REVOKE %s ON %s FROM %s CASCADE', privilege, thing, who)
    FROM grants, LATERAL (SELECT CASE grantee WHEN 0 THEN 'public' ELSE grantee::regrole::text END) AS named (who)
    UNION ALL
    SELECT format('owner lacks %s on %s', privilege, thing), format('GRANT %s ON %s TO %s', privilege, thing, owner::regrole) FROM lacks
) AS facts (line, undo) ORDER BY 1
