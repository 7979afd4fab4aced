-- The whole schema after all migrations, for reading. A test compares the two; nothing runs this file.

CREATE SCHEMA app;

-- The migrations that ran, with a checksum of their text.
CREATE TABLE app.schema_migrations (
    version    text PRIMARY KEY,
    checksum   text NOT NULL,
    applied_at timestamptz NOT NULL DEFAULT now()
);

-- Everything that a 202 acknowledged. Insert-only, except that an erase empties a row; the unique pair answers a
-- repeated key for as long as the row is kept.
CREATE TABLE app.intake_jobs (
    intake_id           uuid PRIMARY KEY,
    request_id          uuid NOT NULL,
    client_id           text NOT NULL,
    idempotency_key     text,
    fingerprint         bytea NOT NULL,
    fingerprint_version smallint NOT NULL,
    payload             jsonb NOT NULL,
    email               text,
    phone_e164          text,
    created_at          timestamptz NOT NULL DEFAULT clock_timestamp(),
    x_request_id        text,  -- the request's id as the caller gave it; request_id is of releases before contract v1
    key_id              text,
    lead                jsonb, -- the columns that the lead will have; NULL before contract v1: see lead_of_wave4
    answer              text,  -- the 202, which a replay repeats byte for byte
    erased_at           timestamptz, -- only the key is left, which is refused from then on
    UNIQUE (client_id, idempotency_key)
);

-- A row is an intake that has to become a lead.
CREATE TABLE app.intake_queue (
    intake_id    uuid PRIMARY KEY,
    available_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    attempts     smallint NOT NULL DEFAULT 0,
    last_error   text
) WITH (
    autovacuum_vacuum_threshold = 5000,
    autovacuum_vacuum_scale_factor = 0,
    autovacuum_analyze_threshold = 50000,
    autovacuum_vacuum_cost_delay = 0
);

-- The leads that the company works with, one row each.
CREATE TABLE app.leads (
    lead_id           bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    name              text,
    email             text,
    phone_e164        text,
    preferred_channel text,
    service           text,
    timeline          text,
    city              text,
    state             text NOT NULL,
    postal_code       text,
    details           text,
    starts_on         date,
    headcount         integer,
    attribution       jsonb,
    payload           jsonb NOT NULL,
    created_at        timestamptz NOT NULL DEFAULT now(),
    intake_id         uuid UNIQUE,
    request_id        uuid,
    client_id         text,
    idempotency_key   text,
    received_at       timestamptz,
    -- Contract v1 from here; of those above, name, preferred_channel, service, timeline, details, starts_on, attribution
    -- and request_id are of releases before it, and go in a later release.
    full_name                text,
    company                  text,
    email_text               text,
    phone_text               text,
    phone_extension          text,
    preferred_contact_method text,
    service_type             text,
    timeline_mode            text,
    start_local              text,
    end_local                text,
    starts_at                timestamptz,
    ends_at                  timestamptz,
    street                   text,
    site_type                text,
    notes                    text,
    expected_hours           integer,
    recurrence               text,
    personnel_count          integer,
    lead_source              text,
    referrer_url             text,
    page_url                 text,
    intake_type              text,
    utm                      jsonb,
    form                     jsonb,
    flags                    text[] NOT NULL DEFAULT '{}',
    key_id                   text,
    x_request_id             text,
    CONSTRAINT leads_can_be_answered CHECK (email IS NOT NULL OR phone_e164 IS NOT NULL),
    CONSTRAINT leads_have_a_name CHECK (full_name IS NOT NULL OR name IS NOT NULL)
);

CREATE INDEX leads_created_at ON app.leads (created_at);

-- What a person agreed to, as it was shown to them. This is evidence: rows are added, and the application never
-- changes them. Once the intake is gone, the digests of its addresses and numbers lead to it; see app.erasures.
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
    person_digests bytea[],
    PRIMARY KEY (intake_id, position)
);

-- Intakes that failed every attempt to become a lead. An operator replays or discards them.
CREATE TABLE app.dead_jobs (
    intake_id    uuid PRIMARY KEY REFERENCES app.intake_jobs,
    attempts     smallint NOT NULL,
    reason       text NOT NULL,
    died_at      timestamptz NOT NULL DEFAULT now(),
    discarded_at timestamptz
);

-- Who replayed or discarded which job, exported or erased which person, or removed what had expired, and why. Rows are
-- added; the reasons of an intake's rows go with it.
CREATE TABLE app.job_audit (
    audit_id      bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    at            timestamptz NOT NULL DEFAULT now(),
    actor         text NOT NULL,
    action        text NOT NULL CHECK (action IN ('replay', 'discard', 'export', 'erase', 'retain')),
    intake_id     uuid,
    reason        text NOT NULL,
    person_digest bytea,
    counts        jsonb,
    CONSTRAINT job_audit_names_its_intake CHECK (intake_id IS NOT NULL OR action NOT IN ('replay', 'discard'))
);

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

-- The last heartbeat of each service; also the probe that proves that the database accepts writes.
CREATE TABLE app.heartbeats (
    service text PRIMARY KEY,
    beat_at timestamptz NOT NULL DEFAULT now(),
    release text NOT NULL
);

-- The lead of a payload from before contract v1, in v1's names.
CREATE FUNCTION app.lead_of_wave4(payload jsonb) RETURNS jsonb
LANGUAGE sql IMMUTABLE AS $$
    SELECT jsonb_strip_nulls(jsonb_build_object(
        'full_name', payload #>> '{contact,name}',
        'preferred_contact_method',
        CASE payload #>> '{contact,preferred_channel}' WHEN 'phone' THEN 'call' WHEN 'sms' THEN 'text' ELSE 'email' END,
        'service_type',
        CASE payload #>> '{request,service}'
            WHEN 'unarmed_security' THEN 'unarmed_support'
            WHEN 'secure_transport' THEN 'ep_transport'
            ELSE payload #>> '{request,service}'
        END,
        'timeline_mode',
        CASE payload #>> '{request,timeline}'
            WHEN 'immediately' THEN 'immediate'
            ELSE payload #>> '{request,timeline}'
        END,
        'start_local', payload #>> '{request,starts_on}',
        'starts_at', (payload #>> '{request,starts_on}') || ' America/Chicago',
        'state', payload #>> '{request,location,state}',
        'city', payload #>> '{request,location,city}',
        'postal_code', payload #>> '{request,location,postal_code}',
        'notes', payload #>> '{request,details}',
        'recurrence', 'one_time',
        'headcount', payload #> '{request,headcount}',
        'lead_source', 'unknown',
        'page_url', payload #>> '{attribution,page_url}',
        'referrer_url', payload #>> '{attribution,referrer}',
        'utm',
        CASE WHEN payload #> '{attribution}' IS NOT NULL THEN jsonb_build_object(
            'source', payload #>> '{attribution,utm_source}',
            'medium', payload #>> '{attribution,utm_medium}',
            'campaign', payload #>> '{attribution,utm_campaign}',
            'term', payload #>> '{attribution,utm_term}',
            'content', payload #>> '{attribution,utm_content}'
        ) END,
        'consent', payload -> 'consent'
    ))
$$;

-- A worker of the release before fills the old columns only, and finds nothing for them in an intake of this one.
CREATE FUNCTION app.fill_lead_of_v1() RETURNS trigger
LANGUAGE plpgsql AS $$
DECLARE
    job app.intake_jobs;
BEGIN
    SELECT * INTO job FROM app.intake_jobs WHERE intake_id = NEW.intake_id;
    NEW := jsonb_populate_record(NEW, coalesce(job.lead, app.lead_of_wave4(NEW.payload)));
    NEW.x_request_id := coalesce(job.x_request_id, NEW.request_id::text);
    NEW.key_id := job.key_id;
    RETURN NEW;
END
$$;

CREATE TRIGGER leads_of_the_release_before
BEFORE INSERT ON app.leads
FOR EACH ROW WHEN (NEW.full_name IS NULL)
EXECUTE FUNCTION app.fill_lead_of_v1();

-- Leaves no trace of a probe's lead; only the owner may call it. Returns how many intakes it removed.
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
    SELECT intake_id, coalesce(payload #>> '{contact,full_name}', payload #>> '{contact,name}')
    INTO found_id, found_name
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

REVOKE EXECUTE ON FUNCTION app.remove_synthetic, app.keep_evidence, app.erase_person, app.remove_expired FROM PUBLIC;

GRANT USAGE ON SCHEMA app TO motorcade_api, motorcade_app, motorcade_ro;
GRANT SELECT ON ALL TABLES IN SCHEMA app TO motorcade_ro;
GRANT SELECT ON app.schema_migrations TO motorcade_api, motorcade_app;

-- The API stores intakes and answers for them. It reads no lead, no payload and no address, and changes no row.
-- INSERT is on all columns, because LOCK TABLE considers no right on a column.
GRANT INSERT ON app.intake_jobs, app.intake_queue TO motorcade_api;
GRANT SELECT (
    intake_id, request_id, x_request_id, client_id, idempotency_key, fingerprint, fingerprint_version, created_at, answer,
    erased_at
) ON app.intake_jobs TO motorcade_api;
GRANT SELECT (intake_id, available_at, attempts) ON app.intake_queue TO motorcade_api;
GRANT SELECT (intake_id, created_at) ON app.leads TO motorcade_api;
GRANT SELECT (intake_id, died_at, discarded_at) ON app.dead_jobs TO motorcade_api;
GRANT SELECT, INSERT (service, release), UPDATE (beat_at, release) ON app.heartbeats TO motorcade_api;

-- The worker, the sweeper and the commands add evidence but never change it. The database alone dates it: without a right
-- on `recorded_at` and `at`, nobody but the owner can backdate a row.
GRANT SELECT ON app.consents, app.job_audit TO motorcade_app;
GRANT INSERT (intake_id, position, channel, granted, text_version, text_sha256, given_at, page_url)
ON app.consents TO motorcade_app;
GRANT INSERT (actor, action, intake_id, reason, person_digest, counts) ON app.job_audit TO motorcade_app;
GRANT SELECT, INSERT ON app.leads, app.intake_jobs, app.erasures TO motorcade_app;
GRANT SELECT, INSERT, UPDATE, DELETE ON app.intake_queue, app.dead_jobs TO motorcade_app;
GRANT SELECT, INSERT, UPDATE ON app.heartbeats TO motorcade_app;
GRANT EXECUTE ON FUNCTION app.erase_person, app.remove_expired TO motorcade_app;
