"""The edge's certificate from an ACME server, renewed before it ends; without a server, nothing."""

from dataclasses import dataclass
from typing import Final

from deploys.kit.plan import pin
from deploys.kit.plan.service import Service


@dataclass(frozen=True)
class Acme:
    """Its settings. Without a directory the certificate is two files that people put on the host."""

    certificate_directory: str | None
    certificate_contact: str | None
    certificate_profile: str | None
    certificate_ca_file: str | None


CERTIFICATE: Final = Service(
    "certificate",
    ("edge",),
    ("platform", "nginx"),
    pinned=pin.packaged("certbot", pin.THREE_NUMBERS),
    settings=Acme,
    processes={"certificate": "certificate-renew"},
)
