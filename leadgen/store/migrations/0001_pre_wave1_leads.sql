-- version: 20260126_01_wave1_leads
-- The schema, the table that tells which migrations ran, and the leads themselves.

CREATE SCHEMA IF NOT EXISTS app;

CREATE TABLE IF NOT EXISTS app.schema_migrations (
    version    text PRIMARY KEY,
    checksum   text NOT NULL,
    applied_at timestamptz NOT NULL DEFAULT now()
);

-- What the company works with: one row for each lead, in columns that people query.
CREATE TABLE app.leads (
    lead_id           bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    name              text NOT NULL,
    email             text,
    phone_e164        text,
    preferred_channel text NOT NULL,
    service           text NOT NULL,
    timeline          text NOT NULL,
    city              text NOT NULL,
    state             text NOT NULL,
    postal_code       text NOT NULL,
    details           text NOT NULL,
    starts_on         date,
    headcount         integer,
    attribution       jsonb,
    payload           jsonb NOT NULL,
    created_at        timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT leads_can_be_answered CHECK (email IS NOT NULL OR phone_e164 IS NOT NULL)
);

CREATE INDEX leads_created_at ON app.leads (created_at);

GRANT USAGE ON SCHEMA app TO motorcade_app, motorcade_ro;
GRANT SELECT ON app.schema_migrations TO motorcade_app, motorcade_ro;
GRANT SELECT, INSERT ON app.leads TO motorcade_app;
GRANT SELECT ON app.leads TO motorcade_ro;
