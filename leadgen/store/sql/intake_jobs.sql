-- insert_intakes --
-- Accept a batch: an intake and a queue entry for each row whose id and key are new. Waits for a concurrent
-- writer of the same key; returns the ids that this statement stored. Parameters are binary: as text, every quote
-- in a payload would need escaping.
WITH stored AS (
    INSERT INTO app.intake_jobs (
        intake_id, request_id, x_request_id, client_id, key_id, idempotency_key, fingerprint, fingerprint_version,
        payload, lead, email, phone_e164, created_at, answer
    )
    SELECT
        -- The column of releases before contract v1 takes no NULL, and no id that is not a UUID.
        intake_id, intake_id, x_request_id, client_id, key_id, idempotency_key, fingerprint, fingerprint_version,
        payload::jsonb, lead::jsonb, email, phone_e164, created_at, answer
    FROM unnest(
        %b::uuid[], %b::text[], %b::text[], %b::text[], %b::text[], %b::bytea[], %b::smallint[], %b::text[],
        %b::text[], %b::text[], %b::text[], %b::timestamptz[], %b::text[]
    ) AS new (
        intake_id, x_request_id, client_id, key_id, idempotency_key, fingerprint, fingerprint_version, payload, lead,
        email, phone_e164, created_at, answer
    )
    ON CONFLICT DO NOTHING
    RETURNING intake_id
), queued AS (
    INSERT INTO app.intake_queue (intake_id) SELECT intake_id FROM stored
)
SELECT intake_id FROM stored

-- limit_memory --
-- For the rest of this transaction, write what needs more memory than this to a file.
SET LOCAL work_mem = '64kB'

-- take_space --
-- Write about 400 KB to a temporary file beside the tables, which fails when their disk is full.
SELECT count(*) FROM generate_series(1, 20000)

-- lock_tables --
-- Wait for the table locks before waiting for a key, so that a later lock timeout means that the key is held.
LOCK TABLE app.intake_jobs, app.intake_queue IN ROW EXCLUSIVE MODE

-- find_by_keys --
-- The intake stored for each (client, key) of a batch; unused keys have no row. Before contract v1 every answer had
-- the same form, and was not stored.
SELECT
    client_id, idempotency_key, intake_id, coalesce(x_request_id, request_id::text), fingerprint, fingerprint_version,
    coalesce(
        answer,
        format('{"intake_id": "%%s", "request_id": "%%s", "status": "queued"}' || chr(10), intake_id, request_id)
    ),
    erased_at IS NOT NULL
FROM app.intake_jobs
JOIN unnest(%s::text[], %s::text[]) AS wanted (client_id, idempotency_key) USING (client_id, idempotency_key)

-- find_stored --
-- Which of these intakes are stored: the answer to a commit whose reply was lost.
SELECT intake_id FROM app.intake_jobs WHERE intake_id = ANY (%s::uuid[])

-- get_submission --
-- One intake of one client and its status, unless it was erased. The transaction that adds its lead removes its queue entry.
SELECT
    CASE
        WHEN lead.intake_id IS NOT NULL THEN 'done'
        WHEN dead.intake_id IS NOT NULL THEN 'dead'
        ELSE 'queued'
    END AS status,
    coalesce(job.x_request_id, job.request_id::text) AS request_id,
    job.created_at AS received_at,
    coalesce(lead.created_at, dead.died_at) AS finished_at
FROM app.intake_jobs AS job
LEFT JOIN app.leads AS lead USING (intake_id)
LEFT JOIN app.dead_jobs AS dead USING (intake_id)
WHERE job.intake_id = %s AND job.client_id = %s AND job.erased_at IS NULL
