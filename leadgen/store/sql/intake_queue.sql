-- prefer_indexes --
-- Let this session scan a whole table only where no index helps: its plans are made while the queue is nearly empty,
-- and are kept when it is long.
SET enable_seqscan = off

-- drain_batch --
-- Turn the oldest claimable intakes into leads; returns how many. A crash rolls everything back.
-- ANY (ARRAY(...)) instead of joins: the planner assumes a few rows for an array and uses the index, whatever its
-- statistics say about a queue that was full a minute ago.
WITH claimed AS MATERIALIZED (
    SELECT intake_id
    FROM app.intake_queue
    WHERE
        -- A new intake is claimable whatever the clock says, so that a clock set back does not delay leads.
        (attempts = 0 OR available_at <= now())
        AND (%(only)s::uuid[] IS NULL OR intake_id = ANY (%(only)s))
    ORDER BY intake_id
    LIMIT %(most)s
    FOR UPDATE SKIP LOCKED
), drained AS (
    DELETE FROM app.intake_queue WHERE intake_id = ANY (ARRAY(SELECT intake_id FROM claimed)) RETURNING intake_id
), job AS MATERIALIZED (
    SELECT
        intake_id, coalesce(x_request_id, request_id::text) AS x_request_id, client_id, key_id, idempotency_key, email,
        phone_e164, payload, created_at, coalesce(lead, app.lead_of_wave4(payload)) AS lead
    FROM app.intake_jobs
    WHERE intake_id = ANY (ARRAY(SELECT intake_id FROM drained))
), evidence AS (
    INSERT INTO app.consents (
        intake_id, position, channel, granted, text_version, text_sha256, given_at, page_url
    )
    SELECT
        job.intake_id, given.position, given.consent ->> 'channel', (given.consent ->> 'granted')::boolean,
        given.consent ->> 'text_version', given.consent ->> 'text_sha256', (given.consent ->> 'at')::timestamptz,
        given.consent ->> 'page_url'
    FROM job
    CROSS JOIN jsonb_array_elements(job.lead -> 'consent') WITH ORDINALITY AS given (consent, position)
    ON CONFLICT DO NOTHING
), made AS (
    INSERT INTO app.leads (
        intake_id, x_request_id, client_id, key_id, idempotency_key, email, phone_e164, payload, received_at,
        full_name, company, email_text, phone_text, phone_extension, preferred_contact_method, service_type,
        timeline_mode, start_local, end_local, starts_at, ends_at, state, street, city, postal_code, site_type,
        notes, expected_hours, recurrence, headcount, personnel_count, lead_source, referrer_url, page_url,
        intake_type, utm, form, flags
    )
    SELECT
        job.intake_id, job.x_request_id, job.client_id, job.key_id, job.idempotency_key, job.email, job.phone_e164,
        job.payload, job.created_at,
        lead.full_name, lead.company, lead.email_text, lead.phone_text, lead.phone_extension,
        lead.preferred_contact_method, lead.service_type, lead.timeline_mode, lead.start_local, lead.end_local,
        lead.starts_at, lead.ends_at, lead.state, lead.street, lead.city, lead.postal_code, lead.site_type,
        lead.notes, lead.expected_hours, lead.recurrence, lead.headcount, lead.personnel_count, lead.lead_source,
        lead.referrer_url, lead.page_url, lead.intake_type, lead.utm, lead.form, coalesce(lead.flags, '{}')
    FROM job
    CROSS JOIN LATERAL jsonb_to_record(job.lead) AS lead (
        full_name text, company text, email_text text, phone_text text, phone_extension text,
        preferred_contact_method text, service_type text, timeline_mode text, start_local text, end_local text,
        starts_at timestamptz, ends_at timestamptz, state text, street text, city text, postal_code text,
        site_type text, notes text, expected_hours integer, recurrence text, headcount integer,
        personnel_count integer, lead_source text, referrer_url text, page_url text, intake_type text, utm jsonb,
        form jsonb, flags text[]
    )
    ON CONFLICT (intake_id) DO NOTHING
)
SELECT count(*) FROM drained

-- claim_suspects --
-- Lock the intakes that a failed batch may have held, oldest first, with their failed attempts so far.
SELECT intake_id, attempts
FROM app.intake_queue
WHERE attempts = 0 OR available_at <= now()
ORDER BY intake_id
LIMIT %s
FOR UPDATE SKIP LOCKED

-- put_off --
-- Make a failed intake wait before its next attempt.
UPDATE app.intake_queue
SET attempts = attempts + 1, available_at = clock_timestamp() + make_interval(secs => %s), last_error = %s
WHERE intake_id = %s

-- bury --
-- Give an intake up: move it from the queue to the dead jobs.
WITH failed AS (
    DELETE FROM app.intake_queue WHERE intake_id = %s RETURNING intake_id, attempts
)
INSERT INTO app.dead_jobs (intake_id, attempts, reason)
SELECT intake_id, attempts + 1, %s FROM failed

-- has_overdue --
-- Whether an intake has been claimable for longer than this; one from the future was written before the clock was
-- set back.
SELECT EXISTS (
    SELECT FROM app.intake_queue
    WHERE
        (attempts = 0 OR available_at <= now())
        AND available_at NOT BETWEEN now() - make_interval(secs => %s) AND now()
)

-- measure_backlog --
-- How many intakes are waiting (counted up to a limit), how long the oldest has waited, and how many are dead.
SELECT
    (SELECT count(*) FROM (SELECT FROM app.intake_queue LIMIT %s) AS counted) AS waiting,
    coalesce((
        SELECT greatest(0, extract(epoch FROM clock_timestamp() - created_at))::float8
        FROM app.intake_jobs
        -- Not a join, for which the planner may read every row of both.
        WHERE intake_id = (SELECT intake_id FROM app.intake_queue ORDER BY intake_id LIMIT 1)
    ), 0) AS oldest_age_seconds,
    (SELECT count(*) FROM app.dead_jobs WHERE discarded_at IS NULL) AS dead

-- listen --
-- Listen for rings on this connection from now on.
LISTEN leadgen_intake

-- notify --
-- Ring for all listeners.
NOTIFY leadgen_intake
