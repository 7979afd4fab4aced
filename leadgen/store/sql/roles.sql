-- find_missing --
-- The roles that the server lacks.
SELECT wanted FROM unnest(%s::text[]) AS wanted WHERE to_regrole(wanted) IS NULL
