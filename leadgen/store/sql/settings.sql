-- read_settings --
-- The server's settings as this session has them.
SELECT name, current_setting(name) FROM unnest(%s::text[]) AS name
