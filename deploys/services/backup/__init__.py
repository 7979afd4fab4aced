"""Backups and WAL in S3-compatible storage, and the way back."""
