"""One run of pages on one host: the page, its session, the lock and the record."""
