-- After leadgen/store/roles.sql, in the same transaction: what is the platform's business. Run by the superuser.
REVOKE ALL ON DATABASE motorcade FROM PUBLIC;
REVOKE ALL ON SCHEMA public FROM PUBLIC, pg_database_owner;
CREATE SCHEMA IF NOT EXISTS app AUTHORIZATION motorcade_owner;
ALTER SCHEMA app OWNER TO motorcade_owner;
REVOKE CREATE ON SCHEMA app FROM PUBLIC, motorcade_app, motorcade_ro, motorcade_backup;
ALTER ROLE motorcade_owner LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE NOREPLICATION NOBYPASSRLS PASSWORD '{{ motorcade_owner }}';
ALTER ROLE motorcade_app LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE NOREPLICATION NOBYPASSRLS PASSWORD '{{ motorcade_app }}';
ALTER ROLE motorcade_ro LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE NOREPLICATION NOBYPASSRLS PASSWORD '{{ motorcade_ro }}';
ALTER ROLE motorcade_backup LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE NOREPLICATION NOBYPASSRLS PASSWORD '{{ motorcade_backup }}';
