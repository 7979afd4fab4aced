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
), evidence AS (
    INSERT INTO app.consents (
        intake_id, position, channel, granted, text_version, text_sha256, given_at, page_url
    )
    SELECT
        job.intake_id, given.position, given.consent ->> 'channel', (given.consent ->> 'granted')::boolean,
        given.consent ->> 'text_version', given.consent ->> 'text_sha256', (given.consent ->> 'at')::timestamptz,
        given.consent ->> 'page_url'
    FROM app.intake_jobs AS job
    CROSS JOIN jsonb_array_elements(job.payload -> 'consent') WITH ORDINALITY AS given (consent, position)
    WHERE job.intake_id = ANY (ARRAY(SELECT intake_id FROM drained))
    ON CONFLICT DO NOTHING
), made AS (
    INSERT INTO app.leads (
        intake_id, request_id, client_id, idempotency_key, name, email, phone_e164, preferred_channel, service,
        timeline, city, state, postal_code, details, starts_on, headcount, attribution, payload, received_at
    )
    SELECT
        intake_id, request_id, client_id, idempotency_key, payload #>> '{contact,name}', email, phone_e164,
        payload #>> '{contact,preferred_channel}', payload #>> '{request,service}', payload #>> '{request,timeline}',
        payload #>> '{request,location,city}', payload #>> '{request,location,state}',
        payload #>> '{request,location,postal_code}', payload #>> '{request,details}',
        (payload #>> '{request,starts_on}')::date, (payload #>> '{request,headcount}')::integer,
        payload -> 'attribution', payload, created_at
    FROM app.intake_jobs
    WHERE intake_id = ANY (ARRAY(SELECT intake_id FROM drained))
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
