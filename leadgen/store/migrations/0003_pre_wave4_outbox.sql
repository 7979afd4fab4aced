-- version: 20260128_01_wave4_outbox
-- The outbox: an accepted intake, the queue of those that are not leads yet, and where failed ones end.

-- Everything a 202 was said for. Insert-only: a wide row that is never updated needs no vacuum, and the
-- unique pair is the tombstone that answers a repeated key for ever.
CREATE TABLE app.intake_jobs (
    intake_id           uuid PRIMARY KEY,
    request_id          uuid NOT NULL,
    client_id           text NOT NULL,
    idempotency_key     text,
    fingerprint         bytea NOT NULL,
    fingerprint_version smallint NOT NULL,
    payload             jsonb NOT NULL,
    email               text,
    phone_e164          text,
    created_at          timestamptz NOT NULL DEFAULT clock_timestamp(),
    UNIQUE (client_id, idempotency_key)
);

-- A row is an intake that has to become a lead. Narrow, because rows come and go at the intake's rate.
-- No foreign key: both rows are written by one statement, and the check would cost a lock on every intake.
CREATE TABLE app.intake_queue (
    intake_id    uuid PRIMARY KEY,
    available_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    attempts     smallint NOT NULL DEFAULT 0,
    last_error   text
) WITH (
    -- Emptied all day long: vacuum by a fixed number of dead rows, not by a share of a table that is near empty.
    autovacuum_vacuum_threshold = 5000,
    autovacuum_vacuum_scale_factor = 0,
    autovacuum_analyze_threshold = 50000,
    autovacuum_vacuum_cost_delay = 0
);

-- Intakes that could not become a lead after every attempt. A person replays or discards them.
CREATE TABLE app.dead_jobs (
    intake_id    uuid PRIMARY KEY REFERENCES app.intake_jobs,
    attempts     smallint NOT NULL,
    reason       text NOT NULL,
    died_at      timestamptz NOT NULL DEFAULT now(),
    discarded_at timestamptz
);

-- Who replayed or discarded which job, and why. Rows are added and never changed.
CREATE TABLE app.job_audit (
    audit_id  bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    at        timestamptz NOT NULL DEFAULT now(),
    actor     text NOT NULL,
    action    text NOT NULL CHECK (action IN ('replay', 'discard')),
    intake_id uuid NOT NULL,
    reason    text NOT NULL
);

-- The last sign of life of each service, and the probe that shows that the database takes writes.
CREATE TABLE app.heartbeats (
    service text PRIMARY KEY,
    beat_at timestamptz NOT NULL DEFAULT now(),
    release text NOT NULL
);

GRANT SELECT, INSERT ON app.intake_jobs, app.job_audit TO motorcade_app;
GRANT SELECT, INSERT, UPDATE, DELETE ON app.intake_queue, app.dead_jobs TO motorcade_app;
GRANT SELECT, INSERT, UPDATE ON app.heartbeats TO motorcade_app;
GRANT SELECT ON app.intake_jobs, app.intake_queue, app.dead_jobs, app.job_audit, app.heartbeats TO motorcade_ro;
