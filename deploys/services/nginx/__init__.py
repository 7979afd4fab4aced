"""nginx on the host, the TLS edge."""

from dataclasses import dataclass
from typing import Final

from deploys.kit.plan import pin
from deploys.kit.plan.service import Service

INTAKE_SECONDS: Final = 40  # nginx waits for the intake: longer than replacing its container takes
MOST_REQUESTS: Final = 2000


@dataclass(frozen=True)
class Edge:
    """Its settings."""

    edge_host: str
    edge_certificate: str
    edge_key: str
    edge_requests_per_second: int
    edge_burst: int
    edge_connections: int
    edge_browser_requests_per_minute: int
    edge_browser_burst: int
    edge_security_contact: str | None
    edge_security_expires: str | None

    @property
    def requests_at_once(self) -> int:
        """Of one address: as many as may arrive while they wait for the intake, but not all that nginx holds."""
        return min(self.edge_requests_per_second * INTAKE_SECONDS, MOST_REQUESTS)


NGINX: Final = Service(
    "nginx",
    ("edge",),
    ("platform",),
    pinned=pin.packaged("nginx", pin.THREE_NUMBERS),
    settings=Edge,
    listeners=("0.0.0.0:80", "0.0.0.0:443", "127.0.0.1:8009"),  # on the last it says what it has read
    data=("state",),
    processes={"nginx": "nginx -g 'daemon off;'"},
)
