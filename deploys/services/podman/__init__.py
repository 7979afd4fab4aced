"""Podman, which runs every container."""
