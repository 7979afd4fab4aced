-- find_missing --
-- Which of these roles the server does not have.
SELECT wanted FROM unnest(%s::text[]) AS wanted WHERE to_regrole(wanted) IS NULL
