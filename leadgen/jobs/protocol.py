"""What the API knows of the doorbell: enough to ring it and to report how it is, and nothing of Redis."""

from typing import Protocol


class Doorbell(Protocol):
    """Tells a worker that intakes are waiting. Losing a ring costs latency, never a lead."""

    def ring(self) -> None:
        """Return at once and never raise; a background thread does the rest."""

    def status(self) -> dict[str, str]:
        """`redis` and `worker`, each `ok` or `down`."""

    def close(self) -> None:
        """Pass on what was rung, then stop."""
