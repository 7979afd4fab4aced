-- beat --
-- Store a heartbeat.
INSERT INTO app.heartbeats (service, release) VALUES (%s, %s)
ON CONFLICT (service) DO UPDATE SET beat_at = now(), release = excluded.release

-- get_ages --
-- Seconds since the last heartbeat of each service.
SELECT service, extract(epoch FROM clock_timestamp() - beat_at)::float8 FROM app.heartbeats
