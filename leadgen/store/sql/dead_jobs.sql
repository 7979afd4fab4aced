-- list_failed --
-- Dead intakes and failed ones that will be retried, oldest first; discarded ones on request.
SELECT intake_id, job.client_id, failed.state, failed.attempts, failed.reason, failed.at
FROM (
    SELECT intake_id, 'retrying' AS state, attempts, last_error AS reason, available_at AS at
    FROM app.intake_queue
    WHERE attempts > 0
    UNION ALL
    SELECT
        intake_id, CASE WHEN discarded_at IS NULL THEN 'dead' ELSE 'discarded' END, attempts, reason,
        coalesce(discarded_at, died_at)
    FROM app.dead_jobs
    WHERE discarded_at IS NULL OR %(discarded)s
) AS failed
JOIN app.intake_jobs AS job USING (intake_id)
ORDER BY intake_id
LIMIT %(most)s

-- list_dead --
-- The ids of all dead intakes that have not been discarded.
SELECT intake_id FROM app.dead_jobs WHERE discarded_at IS NULL ORDER BY intake_id

-- get_job --
-- One intake and its status.
SELECT
    intake_id, coalesce(job.x_request_id, job.request_id::text) AS request_id, job.client_id,
    job.created_at AS received_at,
    CASE
        WHEN job.erased_at IS NOT NULL THEN 'erased'
        WHEN lead.intake_id IS NOT NULL THEN 'done'
        WHEN dead.discarded_at IS NOT NULL THEN 'discarded'
        WHEN dead.intake_id IS NOT NULL THEN 'dead'
        WHEN queued.attempts > 0 THEN 'retrying'
        ELSE 'queued'
    END AS state,
    coalesce(dead.attempts, queued.attempts, 0) AS attempts,
    coalesce(dead.reason, queued.last_error) AS reason,
    coalesce(job.erased_at, lead.created_at, dead.discarded_at, dead.died_at) AS finished_at,
    job.payload
FROM app.intake_jobs AS job
LEFT JOIN app.intake_queue AS queued USING (intake_id)
LEFT JOIN app.dead_jobs AS dead USING (intake_id)
LEFT JOIN app.leads AS lead USING (intake_id)
WHERE intake_id = %s

-- list_audit --
-- The audit log of one intake, in order.
SELECT at, actor, action, reason FROM app.job_audit WHERE intake_id = %s ORDER BY audit_id

-- replay --
-- Put a dead intake back into the queue and log who did it; returns it, or nothing if it is not dead.
WITH revived AS (
    DELETE FROM app.dead_jobs WHERE intake_id = %(intake_id)s AND discarded_at IS NULL RETURNING intake_id
), queued AS (
    INSERT INTO app.intake_queue (intake_id) SELECT intake_id FROM revived
)
INSERT INTO app.job_audit (actor, action, intake_id, reason)
SELECT %(actor)s, 'replay', intake_id, %(reason)s FROM revived
RETURNING intake_id

-- discard --
-- Discard a dead intake and log who did it; returns it, or nothing if it is not dead.
WITH closed AS (
    UPDATE app.dead_jobs SET discarded_at = now() WHERE intake_id = %(intake_id)s AND discarded_at IS NULL
    RETURNING intake_id
)
INSERT INTO app.job_audit (actor, action, intake_id, reason)
SELECT %(actor)s, 'discard', intake_id, %(reason)s FROM closed
RETURNING intake_id
