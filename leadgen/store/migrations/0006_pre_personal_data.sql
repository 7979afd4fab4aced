-- version: 20261127_01_personal_data
-- Personal data: a person can be erased and stays erased, and what is older than the company may keep it goes.

-- The persons that were erased, by a digest whose key is not in the database. A restore replays them. Rows are added
-- and never changed; `counts` says how many rows of each table were erased.
CREATE TABLE app.erasures (
    erasure_id uuid PRIMARY KEY,
    kind       text NOT NULL CHECK (kind IN ('email', 'phone')),
    digest     bytea NOT NULL CHECK (length(digest) = 32),
    key_id     text NOT NULL,
    erased_at  timestamptz NOT NULL,
    counts     jsonb NOT NULL
);

-- Of a consent whose intake is gone: the digests of the addresses and numbers that it had.
ALTER TABLE app.consents ADD COLUMN person_digests bytea[];

ALTER TABLE app.job_audit
    ALTER COLUMN intake_id DROP NOT NULL,
    ADD COLUMN person_digest bytea,
    ADD COLUMN counts        jsonb,
    DROP CONSTRAINT job_audit_action_check,
    ADD CONSTRAINT job_audit_action_check CHECK (action IN ('replay', 'discard', 'export', 'erase', 'retain')),
    ADD CONSTRAINT job_audit_names_its_intake CHECK (intake_id IS NOT NULL OR action NOT IN ('replay', 'discard'));

-- Keeps the evidence of an intake that goes: its consents, also those that no drain has stored yet, tied to the
-- digests instead of the person; and who did what to it, without the words. Returns how many consents it has.
CREATE FUNCTION app.keep_evidence(gone uuid, consent jsonb, digests bytea[]) RETURNS integer
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    kept integer;
BEGIN
    BEGIN
        INSERT INTO app.consents (
            intake_id, position, channel, granted, text_version, text_sha256, given_at, page_url
        )
        SELECT
            gone, given.position, given.entry ->> 'channel', (given.entry ->> 'granted')::boolean,
            given.entry ->> 'text_version', given.entry ->> 'text_sha256', (given.entry ->> 'at')::timestamptz,
            given.entry ->> 'page_url'
        FROM jsonb_array_elements(consent) WITH ORDINALITY AS given (entry, position)
        ON CONFLICT DO NOTHING;
    EXCEPTION WHEN data_exception OR integrity_constraint_violation THEN
        NULL; -- of a dead intake that could not become a lead for this very reason
    END;
    -- What follows the path of a page's address can name the person who was on it.
    UPDATE app.consents
    SET page_url = regexp_replace(page_url, '[?#].*', ''), person_digests = coalesce(person_digests, digests)
    WHERE intake_id = gone;
    GET DIAGNOSTICS kept = ROW_COUNT;
    UPDATE app.job_audit SET reason = 'removed with the intake' WHERE intake_id = gone;
    RETURN kept;
END
$$;

-- Erases the intakes and leads of a person: `entries` has one object for each, with `intake_id` (and `digests`, and
-- `forget_key`) or `lead_id`. Stores the tombstone unless it is there, and logs the action. Returns the counts.
CREATE FUNCTION app.erase_person(tombstone app.erasures, entries jsonb, actor text, reason text) RETURNS jsonb
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    entry record;
    job app.intake_jobs;
    affected integer;
    intakes integer := 0;
    queued integer := 0;
    dead integer := 0;
    leads integer := 0;
    consents integer := 0;
    counts jsonb;
BEGIN
    PERFORM pg_advisory_xact_lock(x'65726173'::integer); -- "eras": one that removes persons at a time
    FOR entry IN
        SELECT *
        FROM jsonb_to_recordset(entries) AS one (
            intake_id uuid, lead_id bigint, digests text[], forget_key boolean
        )
        ORDER BY one.intake_id, one.lead_id
    LOOP
        IF entry.intake_id IS NULL THEN
            DELETE FROM app.leads AS lead
            WHERE lead.lead_id = entry.lead_id AND coalesce(lead.received_at, lead.created_at) <= tombstone.erased_at;
            GET DIAGNOSTICS affected = ROW_COUNT;
            leads := leads + affected;
            CONTINUE;
        END IF;
        SELECT * INTO job FROM app.intake_jobs AS found WHERE found.intake_id = entry.intake_id;
        CONTINUE WHEN job.created_at > tombstone.erased_at OR job.erased_at IS NOT NULL;
        -- It is queued, dead or a lead, and may move on meanwhile: see remove_synthetic.
        FOR look IN 1..3 LOOP
            DELETE FROM app.intake_queue AS gone WHERE gone.intake_id = entry.intake_id;
            GET DIAGNOSTICS affected = ROW_COUNT;
            queued := queued + affected;
            EXIT WHEN affected > 0;
            DELETE FROM app.dead_jobs AS gone WHERE gone.intake_id = entry.intake_id;
            GET DIAGNOSTICS affected = ROW_COUNT;
            dead := dead + affected;
            EXIT WHEN affected > 0;
            DELETE FROM app.leads AS gone WHERE gone.intake_id = entry.intake_id;
            GET DIAGNOSTICS affected = ROW_COUNT;
            leads := leads + affected;
            EXIT WHEN affected > 0;
        END LOOP;
        consents := consents + app.keep_evidence(
            entry.intake_id, coalesce(job.lead, app.lead_of_wave4(job.payload)) -> 'consent',
            ARRAY(SELECT decode(hex, 'hex') FROM unnest(entry.digests) AS hex)
        );
        -- The key stays, so that a late retry is refused instead of stored again.
        IF job.idempotency_key IS NULL OR entry.forget_key THEN
            DELETE FROM app.intake_jobs AS gone WHERE gone.intake_id = entry.intake_id;
        ELSE
            UPDATE app.intake_jobs AS emptied
            SET
                payload = '{}', fingerprint = '', email = NULL, phone_e164 = NULL, x_request_id = NULL, lead = NULL,
                answer = NULL, erased_at = tombstone.erased_at
            WHERE emptied.intake_id = entry.intake_id;
        END IF;
        GET DIAGNOSTICS affected = ROW_COUNT;
        intakes := intakes + affected;
    END LOOP;
    counts := jsonb_build_object(
        'intakes', intakes, 'queued', queued, 'dead', dead, 'leads', leads, 'consents', consents
    );
    INSERT INTO app.erasures
    VALUES (
        tombstone.erasure_id, tombstone.kind, tombstone.digest, tombstone.key_id, tombstone.erased_at, counts
    )
    ON CONFLICT DO NOTHING;
    INSERT INTO app.job_audit (actor, action, reason, person_digest, counts)
    VALUES (actor, 'erase', reason, tombstone.digest, counts);
    RETURN counts;
END
$$;

-- Removes those of these intakes that are older than so many months, except queued ones, and logs the action.
-- `entries` has one object for each, with `intake_id` and `digests`. Returns the counts.
CREATE FUNCTION app.remove_expired(months integer, entries jsonb, actor text) RETURNS jsonb
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    entry record;
    job app.intake_jobs;
    affected integer;
    intakes integer := 0;
    dead integer := 0;
    leads integer := 0;
    consents integer := 0;
    counts jsonb;
BEGIN
    IF months IS NULL OR months < 1 THEN
        RAISE EXCEPTION 'remove_expired: % is not a number of months; nothing was removed', months;
    END IF;
    PERFORM pg_advisory_xact_lock(x'65726173'::integer);
    FOR entry IN
        SELECT * FROM jsonb_to_recordset(entries) AS one (intake_id uuid, digests text[]) ORDER BY one.intake_id
    LOOP
        SELECT * INTO job FROM app.intake_jobs AS found
        WHERE found.intake_id = entry.intake_id AND found.created_at < now() - make_interval(months => months);
        CONTINUE WHEN NOT FOUND;
        DELETE FROM app.dead_jobs AS gone WHERE gone.intake_id = entry.intake_id;
        GET DIAGNOSTICS affected = ROW_COUNT;
        -- After that, and not before: a replay under way had the row first, and has put it into the queue now.
        CONTINUE WHEN EXISTS (SELECT FROM app.intake_queue AS queue WHERE queue.intake_id = entry.intake_id);
        dead := dead + affected;
        DELETE FROM app.leads AS gone WHERE gone.intake_id = entry.intake_id;
        GET DIAGNOSTICS affected = ROW_COUNT;
        leads := leads + affected;
        consents := consents + app.keep_evidence(
            entry.intake_id, coalesce(job.lead, app.lead_of_wave4(job.payload)) -> 'consent',
            ARRAY(SELECT decode(hex, 'hex') FROM unnest(entry.digests) AS hex)
        );
        DELETE FROM app.intake_jobs AS gone WHERE gone.intake_id = entry.intake_id;
        GET DIAGNOSTICS affected = ROW_COUNT;
        intakes := intakes + affected;
    END LOOP;
    -- Leads of releases before the outbox, and those whose intake was deleted by hand.
    DELETE FROM app.leads AS gone
    WHERE gone.lead_id IN (
        SELECT lead.lead_id FROM app.leads AS lead
        WHERE
            lead.created_at < now() - make_interval(months => months)
            AND NOT EXISTS (SELECT FROM app.intake_jobs AS left_over WHERE left_over.intake_id = lead.intake_id)
        LIMIT 500
    );
    GET DIAGNOSTICS affected = ROW_COUNT;
    leads := leads + affected;
    counts := jsonb_build_object(
        'intakes', intakes, 'dead', dead, 'leads', leads, 'consents', consents
    );
    IF intakes + leads > 0 THEN
        INSERT INTO app.job_audit (actor, action, reason, counts)
        VALUES (actor, 'retain', format('older than %s months', months), counts);
    END IF;
    RETURN counts;
END
$$;

REVOKE EXECUTE ON FUNCTION app.keep_evidence, app.erase_person, app.remove_expired FROM PUBLIC;
GRANT EXECUTE ON FUNCTION app.erase_person, app.remove_expired TO motorcade_app;
GRANT SELECT, INSERT ON app.erasures TO motorcade_app;
GRANT SELECT ON app.erasures TO motorcade_ro;

-- Last, because submissions wait for it until the transaction ends.
ALTER TABLE app.intake_jobs ADD COLUMN erased_at timestamptz;
