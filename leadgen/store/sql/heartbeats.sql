-- beat --
-- Leave a sign of life.
INSERT INTO app.heartbeats (service, release) VALUES (%s, %s)
ON CONFLICT (service) DO UPDATE SET beat_at = now(), release = excluded.release

-- get_ages --
-- How long ago each service left its last sign of life, in seconds.
SELECT service, extract(epoch FROM clock_timestamp() - beat_at)::float8 FROM app.heartbeats
