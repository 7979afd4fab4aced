"""The doorbell as the API sees it: it can ring it and report its status, and knows nothing about Redis."""

from typing import Protocol


class Doorbell(Protocol):
    """Tells a worker that intakes are waiting. Losing a ring costs latency, never a lead."""

    def ring(self) -> None:
        """Return immediately and never raise; a background thread does the rest."""

    def status(self) -> dict[str, str]:
        """`redis` and `worker`, each `ok` or `down`."""

    def close(self) -> None:
        """Deliver the pending ring, then stop."""
