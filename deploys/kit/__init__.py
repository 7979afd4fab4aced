"""What pages are built from: pins, runbook, session, secrets, units, gates."""
