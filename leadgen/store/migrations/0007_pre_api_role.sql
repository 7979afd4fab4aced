-- version: 20261127_02_api_role
-- The API has a role of its own: whoever takes it over reads no lead and no name, and changes nothing that is stored.

GRANT USAGE ON SCHEMA app TO motorcade_api;
GRANT SELECT ON app.schema_migrations TO motorcade_api;
-- On all columns, because LOCK TABLE considers no right on a column.
GRANT INSERT ON app.intake_jobs, app.intake_queue TO motorcade_api;
GRANT SELECT (
    intake_id, request_id, x_request_id, client_id, idempotency_key, fingerprint, fingerprint_version, created_at, answer,
    erased_at
) ON app.intake_jobs TO motorcade_api;
GRANT SELECT (intake_id, available_at, attempts) ON app.intake_queue TO motorcade_api;
GRANT SELECT (intake_id, created_at) ON app.leads TO motorcade_api;
GRANT SELECT (intake_id, died_at, discarded_at) ON app.dead_jobs TO motorcade_api;
GRANT SELECT, INSERT (service, release), UPDATE (beat_at, release) ON app.heartbeats TO motorcade_api;

-- The database alone dates the evidence: without a right on these columns, nobody but the owner can backdate a row.
REVOKE INSERT ON app.consents, app.job_audit FROM motorcade_app;
GRANT INSERT (intake_id, position, channel, granted, text_version, text_sha256, given_at, page_url)
ON app.consents TO motorcade_app;
GRANT INSERT (actor, action, intake_id, reason, person_digest, counts) ON app.job_audit TO motorcade_app;
