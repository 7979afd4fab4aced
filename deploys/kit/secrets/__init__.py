"""Secrets: age files that the operator keeps, and their delivery to a host's Podman."""

from deploys.kit.secrets.delivery import deliver, fingerprint, present, recipients, require, reveal
from deploys.kit.secrets.files import place
from deploys.kit.secrets.vault import Vault, generate_all

__all__ = [
    "Vault",
    "deliver",
    "fingerprint",
    "generate_all",
    "place",
    "present",
    "recipients",
    "require",
    "reveal",
]
