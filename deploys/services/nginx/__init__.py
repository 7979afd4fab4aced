"""nginx on the host, the TLS edge."""

from dataclasses import dataclass
from typing import Final

from deploys.kit.plan import pin
from deploys.kit.plan.service import Service


@dataclass(frozen=True)
class Edge:
    """Its settings."""

    edge_host: str
    edge_certificate: str
    edge_key: str
    edge_requests_per_second: int
    edge_burst: int
    edge_browser_requests_per_minute: int
    edge_browser_burst: int


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
