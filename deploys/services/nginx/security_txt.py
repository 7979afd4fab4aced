"""Where to report a security problem, as RFC 9116 has it."""

import re
from datetime import date
from typing import Final

from deploys.kit.errors import Refused
from deploys.services.nginx import Edge

FILE: Final = "/etc/nginx/motorcade/security.txt"
ADDRESS: Final = "/.well-known/security.txt"
_CONTACT: Final = r"(mailto:|https://|tel:)[!-~]+"


def check(edge: Edge) -> None:
    """Raises Refused, at load, for a file that no reader could use."""
    contact, expires = edge.edge_security_contact, edge.edge_security_expires
    if (contact is None) is not (expires is None):
        raise Refused(
            "group_data", "only one of edge_security_contact and edge_security_expires is set", "set both or none"
        )
    if contact and not re.fullmatch(_CONTACT, contact):
        raise Refused("group_data", f"edge_security_contact is {contact!r}", "set mailto:…, https://… or tel:…")
    if expires and not _is_day(expires):
        raise Refused("group_data", f"edge_security_expires is {expires!r}", "set a day, such as 2027-06-30")


def _is_day(text: str) -> bool:
    try:
        return str(date.fromisoformat(text)) == text
    except ValueError:
        return False
