-- list_tombstones --
-- All tombstones, in the order of the erasures.
SELECT erasure_id, kind, digest, key_id, erased_at, counts FROM app.erasures ORDER BY erased_at, erasure_id

-- insert_tombstone --
-- Add a tombstone of another database; returns nothing if it is known.
INSERT INTO app.erasures (erasure_id, kind, digest, key_id, erased_at, counts)
VALUES (%s, %s, %s, %s, %s, %s)
ON CONFLICT DO NOTHING
RETURNING erasure_id

-- erase_person --
-- Erase the intakes and leads of a person; returns how many rows of which table.
SELECT app.erase_person(ROW(%s, %s, %s, %s, %s, '{}')::app.erasures, %s, %s, %s)
