-- version: 20260126_02_wave1_write_path
-- Which intake a lead came from, so that it can be there only once; and the evidence of consent.

-- Leads from before the write path have none of these.
ALTER TABLE app.leads
    ADD COLUMN intake_id       uuid UNIQUE,
    ADD COLUMN request_id      uuid,
    ADD COLUMN client_id       text,
    ADD COLUMN idempotency_key text,
    ADD COLUMN received_at     timestamptz;

-- What a person agreed to, as it was shown to them. Evidence: rows are added and never changed.
CREATE TABLE app.consents (
    intake_id    uuid NOT NULL,
    position     integer NOT NULL,
    channel      text NOT NULL,
    granted      boolean NOT NULL,
    text_version text NOT NULL,
    text_sha256  text NOT NULL,
    given_at     timestamptz NOT NULL,
    page_url     text NOT NULL,
    recorded_at  timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (intake_id, position)
);

GRANT SELECT, INSERT ON app.consents TO motorcade_app;
GRANT SELECT ON app.consents TO motorcade_ro;
