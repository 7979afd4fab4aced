-- read_settings --
-- The server's settings as this session has them.
SELECT name, current_setting(name) FROM unnest(%s::text[]) AS name

-- write_marker --
-- Write a record to the WAL that changes nothing; its transaction commits as one that writes does.
SELECT pg_logical_emit_message(true, 'leadgen', '')
