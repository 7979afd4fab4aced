-- Everything in the schema `app` that decides what the database accepts, one line per fact: schema_facts.txt has the
-- lines that the migrations make. Run by a superuser. Grants, triggers and rules are written as SQL would, because
-- schema_repair.sql turns them into statements.
WITH ours AS (
    SELECT oid, oid::regclass AS name, relkind AS kind, relowner AS owner, relacl AS acl, relrowsecurity, relpersistence, reloptions
    FROM pg_class WHERE relnamespace = 'app'::regnamespace AND relkind IN ('r', 'p', 'f', 'v', 'm', 'S')
),
rights (thing, owner, acl) AS (
    SELECT 'table ' || name, owner, coalesce(acl, acldefault('r', owner)) FROM ours WHERE kind <> 'S'
    UNION ALL
    SELECT 'sequence ' || name, owner, coalesce(acl, acldefault('s', owner)) FROM ours WHERE kind = 'S'
    UNION ALL
    SELECT 'function ' || oid::regprocedure, proowner, coalesce(proacl, acldefault('f', proowner))
    FROM pg_proc WHERE pronamespace = 'app'::regnamespace
    UNION ALL
    SELECT 'schema ' || nspname, nspowner, coalesce(nspacl, acldefault('n', nspowner)) FROM pg_namespace WHERE nspname = 'app'
),
grants (privilege, thing, grantee, grantable) AS (
    SELECT privilege_type, thing, grantee, is_grantable FROM rights, aclexplode(acl) WHERE grantee <> owner
    UNION ALL
    SELECT format('%s (%I)', privilege_type, attname), 'table ' || name, grantee, is_grantable
    FROM ours JOIN pg_attribute ON attrelid = ours.oid, aclexplode(attacl) WHERE NOT attisdropped
)
SELECT translate(line, E'\n\r', '  ') COLLATE "C" AS line FROM (
    SELECT concat_ws(' ', CASE kind WHEN 'r' THEN 'table' WHEN 'v' THEN 'view' WHEN 'S' THEN 'sequence' ELSE concat('relation ', kind) END,
        name, 'owned by', owner::regrole, CASE relpersistence WHEN 'u' THEN 'unlogged' END, reloptions::text)
    FROM ours
    UNION ALL
    SELECT concat_ws(' ', 'column', name || '.' || quote_ident(attname), format_type(atttypid, atttypmod),
        CASE WHEN attnotnull THEN 'not null' END, 'default ' || pg_get_expr(adbin, adrelid),
        CASE attidentity WHEN 'a' THEN 'identity' WHEN 'd' THEN 'identity by default' END, CASE WHEN attgenerated <> '' THEN 'generated' END)
    FROM ours JOIN pg_attribute ON attrelid = ours.oid LEFT JOIN pg_attrdef ON adrelid = attrelid AND adnum = attnum
    WHERE kind <> 'S' AND attnum > 0 AND NOT attisdropped
    UNION ALL
    SELECT concat_ws(' ', 'index', pg_get_indexdef(indexrelid), CASE WHEN NOT indisvalid THEN 'invalid' END)
    FROM ours JOIN pg_index ON indrelid = ours.oid
    UNION ALL -- NOT NULL is a fact of the column; PostgreSQL 18 has it here, too
    SELECT concat_ws(' ', 'constraint', conname, 'on', name, pg_get_constraintdef(pg_constraint.oid))
    FROM ours JOIN pg_constraint ON conrelid = ours.oid WHERE contype <> 'n'
    UNION ALL
    SELECT 'trigger ' || pg_get_triggerdef(pg_trigger.oid) FROM ours JOIN pg_trigger ON tgrelid = ours.oid WHERE NOT tgisinternal
    UNION ALL -- those of a foreign key are internal, and are disabled with it
    SELECT DISTINCT 'disabled triggers on ' || name FROM ours JOIN pg_trigger ON tgrelid = ours.oid WHERE tgenabled <> 'O'
    UNION ALL
    SELECT 'rule ' || pg_get_ruledef(pg_rewrite.oid) FROM ours JOIN pg_rewrite ON ev_class = ours.oid WHERE rulename <> '_RETURN'
    UNION ALL
    SELECT 'row security on ' || name FROM ours WHERE relrowsecurity
    UNION ALL
    SELECT format('policy %I on %s', polname, name) FROM ours JOIN pg_policy ON polrelid = ours.oid
    UNION ALL
    SELECT concat_ws(' ', 'function', oid::regprocedure, 'owned by', proowner::regrole, CASE WHEN prosecdef THEN 'security definer' END,
        proconfig::text, encode(sha256(convert_to(coalesce(pg_get_function_sqlbody(oid), prosrc), 'UTF8')), 'hex'))
    FROM pg_proc WHERE pronamespace = 'app'::regnamespace
    UNION ALL
    SELECT 'type ' || format_type(oid, NULL) FROM pg_type WHERE typnamespace = 'app'::regnamespace AND typtype IN ('d', 'e', 'r')
    UNION ALL
    SELECT concat_ws(' ', 'default rights of', defaclrole::regrole, 'in', nullif(defaclnamespace, 0)::regnamespace, defaclacl)
    FROM pg_default_acl
    UNION ALL
    SELECT format('event trigger %I', evtname) FROM pg_event_trigger
    UNION ALL
    SELECT format('GRANT %s ON %s TO %s%s', privilege, thing, CASE grantee WHEN 0 THEN 'public' ELSE grantee::regrole::text END,
        CASE WHEN grantable THEN ' WITH GRANT OPTION' END)
    FROM grants
) AS facts (line) ORDER BY 1;
