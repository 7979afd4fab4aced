-- PLAT_08's own tables, for the superuser and for roles that may read everything.
CREATE SCHEMA IF NOT EXISTS backup;
-- When the database was last alive; in a restored copy, its age is the loss.
CREATE TABLE IF NOT EXISTS backup.heartbeat (
    only_one boolean PRIMARY KEY DEFAULT true CHECK (only_one),
    at timestamptz NOT NULL DEFAULT now()
);
-- Every table at a backup's restore point: a drill counts and hashes the restored ones and compares.
CREATE TABLE IF NOT EXISTS backup.manifests (
    label text,
    restore_point text NOT NULL,
    at timestamptz NOT NULL DEFAULT now(),
    name text,
    rows bigint NOT NULL,
    hash numeric NOT NULL,
    PRIMARY KEY (label, name)
);
