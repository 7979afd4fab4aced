-- The roles of the database, each with what it is for. Run by a superuser; running it again changes nothing.
-- Passwords are set by whoever delivers them (the dev profile, PLAT_03), never here.
DO $$
DECLARE
    wanted text;
BEGIN
    FOREACH wanted IN ARRAY ARRAY['motorcade_owner', 'motorcade_app', 'motorcade_ro', 'motorcade_backup'] LOOP
        IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = wanted) THEN
            EXECUTE format('CREATE ROLE %I LOGIN', wanted);
        END IF;
    END LOOP;
END
$$;

-- The owner makes the schema `app` and everything in it (`leadgen migrate`); it serves no request.
DO $$
BEGIN
    EXECUTE format('GRANT CREATE, CONNECT ON DATABASE %I TO motorcade_owner', current_database());
    EXECUTE format('GRANT CONNECT ON DATABASE %I TO motorcade_app, motorcade_ro, motorcade_backup', current_database());
END
$$;

-- A backup reads every table, also those that a later migration brings.
GRANT pg_read_all_data TO motorcade_backup;
