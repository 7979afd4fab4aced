-- prefer_indexes --
-- Let this session read a whole table only where no index helps: its plans are made while the queue is near empty, and
-- are kept when it is long.
SET enable_seqscan = off

-- drain_batch --
-- Turn the oldest claimable intakes into leads; returns how many. A crash rolls all of it back.
-- ANY (ARRAY(...)) rather than joins: the planner takes an array for a few rows and goes by index, whatever it
-- believes about the size of a queue that was full a minute ago.
WITH claimed AS MATERIALIZED (
    SELECT intake_id
    FROM app.intake_queue
    WHERE
        -- A fresh intake is claimable whatever the clock says, so that a clock set back holds no lead up.
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
-- Let an intake that failed rest before its next attempt.
UPDATE app.intake_queue
SET attempts = attempts + 1, available_at = clock_timestamp() + make_interval(secs => %s), last_error = %s
WHERE intake_id = %s

-- bury --
-- Give an intake up: from the queue to the dead.
WITH failed AS (
    DELETE FROM app.intake_queue WHERE intake_id = %s RETURNING intake_id, attempts
)
INSERT INTO app.dead_jobs (intake_id, attempts, reason)
SELECT intake_id, attempts + 1, %s FROM failed

-- has_overdue --
-- Whether an intake could have been claimed for longer than this; one from the future was written before the
-- clock was set back.
SELECT EXISTS (
    SELECT FROM app.intake_queue
    WHERE
        (attempts = 0 OR available_at <= now())
        AND available_at NOT BETWEEN now() - make_interval(secs => %s) AND now()
)

-- measure_backlog --
-- How many intakes wait (counted up to a bound), for how long the oldest has, and how many are dead.
SELECT
    (SELECT count(*) FROM (SELECT FROM app.intake_queue LIMIT %s) AS counted) AS waiting,
    coalesce((
        SELECT greatest(0, extract(epoch FROM clock_timestamp() - created_at))::float8
        FROM app.intake_jobs
        -- Not a join, which the planner may begin with every row of both.
        WHERE intake_id = (SELECT intake_id FROM app.intake_queue ORDER BY intake_id LIMIT 1)
    ), 0) AS oldest_age_seconds,
    (SELECT count(*) FROM app.dead_jobs WHERE discarded_at IS NULL) AS dead

-- listen --
-- Hear of every ring from now on, on this connection.
LISTEN leadgen_intake

-- notify --
-- Ring for whoever listens.
NOTIFY leadgen_intake
