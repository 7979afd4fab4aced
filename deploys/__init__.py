"""The runbook as code: one page a file, and the kit that the pages are built from."""
