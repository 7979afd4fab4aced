-- list_traces --
-- All intakes and leads by what can name their person, received up to a moment.
SELECT
    intake_id, NULL::bigint AS lead_id, created_at AS received_at, idempotency_key, email, phone_e164,
    lead ->> 'email_text' AS email_text, lead ->> 'phone_text' AS phone_text
FROM app.intake_jobs
WHERE erased_at IS NULL AND created_at <= coalesce(%(until)s::timestamptz, 'infinity')
UNION ALL
SELECT
    intake_id, lead_id, coalesce(received_at, created_at), idempotency_key, email, phone_e164, email_text, phone_text
FROM app.leads
WHERE coalesce(received_at, created_at) <= coalesce(%(until)s::timestamptz, 'infinity')

-- list_expired --
-- Intakes older than so many months that are not in the queue, by what can name their person.
SELECT
    intake_id, NULL::bigint AS lead_id, created_at AS received_at, idempotency_key, email, phone_e164,
    lead ->> 'email_text' AS email_text, lead ->> 'phone_text' AS phone_text
FROM app.intake_jobs
WHERE
    created_at < now() - make_interval(months => %s)
    AND NOT EXISTS (SELECT FROM app.intake_queue AS queued WHERE queued.intake_id = intake_jobs.intake_id)
LIMIT %s

-- remove_expired --
-- Remove those of these intakes that have expired; returns how many rows of which table.
SELECT app.remove_expired(%s, %s, %s)

-- count_rows --
-- How many rows of each table belong to these intakes and leads, or to an earlier erase of the same person.
SELECT
    (SELECT count(*) FROM app.intake_jobs WHERE intake_id = ANY (%(intakes)s)) AS intakes,
    (SELECT count(*) FROM app.intake_queue WHERE intake_id = ANY (%(intakes)s)) AS queued,
    (SELECT count(*) FROM app.dead_jobs WHERE intake_id = ANY (%(intakes)s)) AS dead,
    (SELECT count(*) FROM app.leads WHERE intake_id = ANY (%(intakes)s) OR lead_id = ANY (%(leads)s)) AS leads,
    (
        SELECT count(*) FROM app.consents
        WHERE intake_id = ANY (%(intakes)s) OR %(digest)s::bytea = ANY (person_digests)
    ) AS consents

-- list_intakes --
-- Intakes by their ids, oldest first, as they are stored, each with its state.
SELECT
    to_jsonb(job) - ARRAY['fingerprint', 'fingerprint_version', 'erased_at'] || jsonb_build_object(
        'state',
        CASE
            WHEN lead.intake_id IS NOT NULL THEN 'done'
            WHEN dead.discarded_at IS NOT NULL THEN 'discarded'
            WHEN dead.intake_id IS NOT NULL THEN 'dead'
            WHEN queued.attempts > 0 THEN 'retrying'
            ELSE 'queued'
        END,
        'failed_attempts', coalesce(dead.attempts, queued.attempts, 0),
        'last_error', coalesce(dead.reason, queued.last_error)
    )
FROM app.intake_jobs AS job
LEFT JOIN app.intake_queue AS queued USING (intake_id)
LEFT JOIN app.dead_jobs AS dead USING (intake_id)
LEFT JOIN app.leads AS lead USING (intake_id)
WHERE intake_id = ANY (%s)
ORDER BY job.created_at, intake_id

-- list_leads --
-- Leads by their intakes or their own ids, oldest first, as they are stored.
SELECT to_jsonb(lead) FROM app.leads AS lead
WHERE intake_id = ANY (%(intakes)s) OR lead_id = ANY (%(leads)s)
ORDER BY lead_id

-- list_consents --
-- Consents by their intakes, or by the digest of their person once these are gone.
SELECT to_jsonb(consent) - 'person_digests' FROM app.consents AS consent
WHERE intake_id = ANY (%(intakes)s) OR %(digest)s::bytea = ANY (person_digests)
ORDER BY recorded_at, intake_id, position

-- insert_export --
-- Log that a person's data were exported.
INSERT INTO app.job_audit (actor, action, reason, person_digest, counts) VALUES (%s, 'export', %s, %s, %s)
