-- lock_runs --
-- One migration run at a time per database: false while another one holds the lock.
SELECT pg_try_advisory_lock(%s)

-- unlock_runs --
-- Let the next run begin.
SELECT pg_advisory_unlock(%s)

-- find_table --
-- The table of applied migrations, null on a database that has none yet.
SELECT to_regclass('app.schema_migrations')

-- list_applied --
-- The versions that ran, each with the checksum of its text.
SELECT version, checksum FROM app.schema_migrations

-- insert_applied --
-- Log that a migration ran, in the migration's transaction.
INSERT INTO app.schema_migrations (version, checksum) VALUES (%s, %s)
