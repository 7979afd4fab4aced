-- The roles of the database and their purposes. Run by a superuser; running it again changes nothing.
-- Passwords are set elsewhere (by the dev profile and PLAT_03), never here.
DO $$
DECLARE
    wanted text;
BEGIN
    FOREACH wanted IN ARRAY ARRAY['motorcade_owner', 'motorcade_api', 'motorcade_app', 'motorcade_ro'] LOOP
        IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = wanted) THEN
            EXECUTE format('CREATE ROLE %I LOGIN', wanted);
        END IF;
    END LOOP;
END
$$;

-- The owner creates the schema `app` and everything in it (`leadgen migrate`); it serves no requests.
DO $$
BEGIN
    EXECUTE format('GRANT CREATE, CONNECT ON DATABASE %I TO motorcade_owner', current_database());
    EXECUTE format('GRANT CONNECT ON DATABASE %I TO motorcade_api, motorcade_app, motorcade_ro', current_database());
END
$$;

-- The text of an error can quote the row that caused it, so PostgreSQL's log has none of these roles' errors: `log` is
-- above `error` there. The services log an error's SQLSTATE themselves.
ALTER ROLE motorcade_owner SET log_min_messages = log;
ALTER ROLE motorcade_api SET log_min_messages = log;
ALTER ROLE motorcade_app SET log_min_messages = log;
ALTER ROLE motorcade_ro SET log_min_messages = log;
