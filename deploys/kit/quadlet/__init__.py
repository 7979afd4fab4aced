"""Quadlet: container units as Podman's generator reads them, and the faults that it passes over in silence."""
