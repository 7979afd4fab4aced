-- Everything that PLAT_03 manages, one line per fact, in a fixed order; of a password only the hash of its verifier.
SET search_path = pg_catalog; -- calls only PostgreSQL's own functions
SELECT line COLLATE "C" FROM (
    SELECT concat_ws(' ', 'role', rolname, CASE WHEN rolcanlogin THEN 'login' END, CASE WHEN rolsuper THEN 'superuser' END,
        CASE WHEN rolcreatedb THEN 'createdb' END, CASE WHEN rolcreaterole THEN 'createrole' END,
        CASE WHEN rolreplication THEN 'replication' END, CASE WHEN rolbypassrls THEN 'bypassrls' END)
    FROM pg_roles WHERE rolname NOT LIKE 'pg\_%'
    UNION ALL
    SELECT concat_ws(' ', 'password', rolname, coalesce(encode(sha256(convert_to(rolpassword, 'UTF8')), 'hex'), 'none'))
    FROM pg_authid WHERE rolname NOT LIKE 'pg\_%'
    UNION ALL
    SELECT concat_ws(' ', 'limit', rolname, CASE WHEN NOT rolinherit THEN 'noinherit' END, NULLIF(rolconnlimit, -1),
        NULLIF(rolvaliduntil, 'infinity'))
    FROM pg_roles WHERE rolname NOT LIKE 'pg\_%' AND (NOT rolinherit OR rolconnlimit <> -1 OR rolvaliduntil <> 'infinity')
    UNION ALL
    SELECT concat_ws(' ', 'setting', setrole::regrole, 'in', datname, setconfig)
    FROM pg_db_role_setting LEFT JOIN pg_database ON pg_database.oid = setdatabase
    UNION ALL
    SELECT concat_ws(' ', 'member', member::regrole, 'of', roleid::regrole)
    FROM pg_auth_members WHERE member::regrole::text NOT LIKE 'pg\_%'
    UNION ALL
    SELECT concat_ws(' ', 'database', datname, CASE grantee WHEN 0 THEN 'public' ELSE grantee::regrole::text END, lower(privilege_type))
    FROM pg_database, aclexplode(coalesce(datacl, acldefault('d', datdba))) WHERE datname = 'motorcade'
    UNION ALL
    SELECT concat_ws(' ', 'schema', nspname, 'owned by', nspowner::regrole)
    FROM pg_namespace WHERE nspname NOT LIKE 'pg\_%' AND nspname NOT IN ('information_schema', 'backup')
    UNION ALL
    SELECT concat_ws(' ', 'schema public', CASE grantee WHEN 0 THEN 'public' ELSE grantee::regrole::text END, lower(privilege_type))
    FROM pg_namespace, aclexplode(coalesce(nspacl, acldefault('n', nspowner))) WHERE nspname = 'public'
    UNION ALL
    SELECT concat_ws(' ', 'schema app', CASE grantee WHEN 0 THEN 'public' ELSE grantee::regrole::text END, lower(privilege_type))
    FROM pg_namespace, aclexplode(nspacl) WHERE nspname = 'app' AND privilege_type = 'CREATE' AND grantee <> nspowner
    UNION ALL
    SELECT concat_ws(' ', 'login rule', type, database[1], auth_method)
    FROM pg_hba_file_rules WHERE error IS NOT NULL OR auth_method IN ('trust', 'password', 'md5', 'ident')
) AS lines (line) ORDER BY 1;
