-- version: 20261121_01_synthetic_leads
-- A probe's leads leave no trace: the owner removes them, and nothing else by the same hand.

-- Removes the intake of this client and key with all that refers to it; returns how many intakes that were.
-- The two marks stand in leadgen/domain/synthetic.py, too; what lacks one of them is an error.
CREATE FUNCTION app.remove_synthetic(client text, key text) RETURNS integer
LANGUAGE plpgsql AS $$
DECLARE
    found_id uuid;
    found_name text;
    removed integer;
BEGIN
    IF client IS DISTINCT FROM 'motorcade-probe' THEN
        RAISE EXCEPTION 'remove_synthetic: % is not the client of synthetic leads; nothing was removed', client;
    END IF;
    SELECT intake_id, payload #>> '{contact,name}' INTO found_id, found_name
    FROM app.intake_jobs
    WHERE client_id = client AND idempotency_key = key;
    IF NOT FOUND THEN
        RETURN 0;
    END IF;
    IF starts_with(found_name, 'Motorcade Synthetic') IS NOT TRUE THEN
        RAISE EXCEPTION 'remove_synthetic: intake % is not marked as synthetic; nothing was removed', found_id;
    END IF;
    -- It is queued, dead or a lead, and may move on meanwhile. Taken from one of them it moves no more; until then
    -- look again. The queue is first, as it is for a drain: who drains is waited for, and never met crosswise.
    FOR look IN 1..3 LOOP
        DELETE FROM app.intake_queue WHERE intake_id = found_id;
        EXIT WHEN FOUND;
        DELETE FROM app.dead_jobs WHERE intake_id = found_id;
        EXIT WHEN FOUND;
        DELETE FROM app.leads WHERE intake_id = found_id;
        EXIT WHEN FOUND;
    END LOOP;
    DELETE FROM app.consents WHERE intake_id = found_id;
    DELETE FROM app.job_audit WHERE intake_id = found_id;
    DELETE FROM app.intake_jobs WHERE intake_id = found_id;
    GET DIAGNOSTICS removed = ROW_COUNT;
    RETURN removed;
END
$$;

REVOKE EXECUTE ON FUNCTION app.remove_synthetic FROM PUBLIC;
