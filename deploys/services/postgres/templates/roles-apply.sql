-- After leadgen/store/roles.sql, in the same transaction: the platform's part. Run by the superuser.
REVOKE ALL ON DATABASE motorcade FROM PUBLIC;
REVOKE ALL ON SCHEMA public FROM PUBLIC, pg_database_owner;
CREATE SCHEMA IF NOT EXISTS app AUTHORIZATION motorcade_owner;
ALTER SCHEMA app OWNER TO motorcade_owner;
REVOKE CREATE ON SCHEMA app FROM PUBLIC, motorcade_api, motorcade_app, motorcade_ro;
ALTER ROLE motorcade_owner LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE NOREPLICATION NOBYPASSRLS INHERIT CONNECTION LIMIT -1 VALID UNTIL 'infinity' PASSWORD '{{ motorcade_owner }}';
ALTER ROLE motorcade_api LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE NOREPLICATION NOBYPASSRLS INHERIT CONNECTION LIMIT -1 VALID UNTIL 'infinity' PASSWORD '{{ motorcade_api }}';
ALTER ROLE motorcade_app LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE NOREPLICATION NOBYPASSRLS INHERIT CONNECTION LIMIT -1 VALID UNTIL 'infinity' PASSWORD '{{ motorcade_app }}';
ALTER ROLE motorcade_ro LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE NOREPLICATION NOBYPASSRLS INHERIT CONNECTION LIMIT -1 VALID UNTIL 'infinity' PASSWORD '{{ motorcade_ro }}';
-- Of an earlier release, and in no use: backups are the superuser's.
DO $$
BEGIN
    IF to_regrole('motorcade_backup') IS NOT NULL THEN
        DROP OWNED BY motorcade_backup;
        DROP ROLE motorcade_backup;
    END IF;
END
$$;
