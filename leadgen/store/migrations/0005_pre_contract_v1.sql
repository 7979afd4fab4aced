-- version: 20261126_01_contract_v1
-- Contract v1: the outbox keeps what becomes the lead and what the client was answered; leads get v1's columns.
-- The release before this one works on: lead_of_wave4 reads the intakes that it writes, and a trigger gives the leads
-- that it makes their new columns. Old columns, function and trigger go in a later post migration.

ALTER TABLE app.leads
    ADD COLUMN full_name                text,
    ADD COLUMN company                  text,
    ADD COLUMN email_text               text,
    ADD COLUMN phone_text               text,
    ADD COLUMN phone_extension          text,
    ADD COLUMN preferred_contact_method text,
    ADD COLUMN service_type             text,
    ADD COLUMN timeline_mode            text,
    ADD COLUMN start_local              text,
    ADD COLUMN end_local                text,
    ADD COLUMN starts_at                timestamptz,
    ADD COLUMN ends_at                  timestamptz,
    ADD COLUMN street                   text,
    ADD COLUMN site_type                text,
    ADD COLUMN notes                    text,
    ADD COLUMN expected_hours           integer,
    ADD COLUMN recurrence               text,
    ADD COLUMN personnel_count          integer,
    ADD COLUMN lead_source              text,
    ADD COLUMN referrer_url             text,
    ADD COLUMN page_url                 text,
    ADD COLUMN intake_type              text,
    ADD COLUMN utm                      jsonb,
    ADD COLUMN form                     jsonb,
    ADD COLUMN flags                    text[] NOT NULL DEFAULT '{}',
    ADD COLUMN key_id                   text,
    ADD COLUMN x_request_id             text,
    ALTER COLUMN name DROP NOT NULL,
    ALTER COLUMN preferred_channel DROP NOT NULL,
    ALTER COLUMN service DROP NOT NULL,
    ALTER COLUMN timeline DROP NOT NULL,
    ALTER COLUMN city DROP NOT NULL,
    ALTER COLUMN postal_code DROP NOT NULL,
    ALTER COLUMN details DROP NOT NULL,
    ADD CONSTRAINT leads_have_a_name CHECK (full_name IS NOT NULL OR name IS NOT NULL);

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

UPDATE app.leads AS lead
SET
    full_name = v1.full_name,
    preferred_contact_method = v1.preferred_contact_method,
    service_type = v1.service_type,
    timeline_mode = v1.timeline_mode,
    start_local = v1.start_local,
    starts_at = v1.starts_at,
    notes = v1.notes,
    recurrence = v1.recurrence,
    lead_source = v1.lead_source,
    page_url = v1.page_url,
    referrer_url = v1.referrer_url,
    utm = v1.utm,
    x_request_id = lead.request_id::text
FROM (SELECT lead_id, app.lead_of_wave4(payload) AS lead FROM app.leads) AS old
CROSS JOIN LATERAL jsonb_to_record(old.lead) AS v1 (
    full_name text, preferred_contact_method text, service_type text, timeline_mode text, start_local text,
    starts_at timestamptz, notes text, recurrence text, lead_source text, page_url text, referrer_url text, utm jsonb
)
WHERE lead.lead_id = old.lead_id;

-- As in 0004, and a synthetic lead may be of either contract.
CREATE OR REPLACE FUNCTION app.remove_synthetic(client text, key text) RETURNS integer
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

-- Last, because submissions wait for it until the transaction ends.
ALTER TABLE app.intake_jobs
    ADD COLUMN x_request_id text,
    ADD COLUMN key_id       text,
    ADD COLUMN lead         jsonb,
    ADD COLUMN answer       text;
