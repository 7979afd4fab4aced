"""The dev profile: the whole intake on one machine, with its own PostgreSQL and Redis, by one command."""
