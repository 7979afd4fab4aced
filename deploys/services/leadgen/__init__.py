"""The lead intake: API, worker and sweeper, from one image."""
