"""Blocks of addresses at the edge: what can be blocked, for how long, and how they are listed."""

import re
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from ipaddress import IPv4Address, IPv4Network, IPv6Network, ip_address, ip_interface, ip_network
from typing import Final, TypeAlias

from deploys.kit.errors import Refused

Network: TypeAlias = IPv4Network | IPv6Network

_CALLER: Final = {4: 32, 6: 64}  # bits of an address that name one caller
_UNITS: Final = {"m": 60, "h": 3600, "d": 86400}  # seconds
_MOST_DAYS: Final = 30


def network(text: str) -> Network:
    """The address, or of IPv6 the network of 64 bits around it. Raises Refused for what no caller can have."""
    try:
        given = ip_interface(text)
    except ValueError:
        raise Refused(repr(text), "is not an IP address", "give one, such as 203.0.113.7 or 2001:db8::1") from None
    if given.network.prefixlen < _CALLER[given.version]:
        raise Refused(text, "is a network of many callers", "block single addresses, or ask the provider")
    mapped: IPv4Address | None = getattr(given.ip, "ipv4_mapped", None)
    address = mapped or given.ip
    if (
        address.is_loopback
        or address.is_multicast
        or address.is_link_local
        or address.is_reserved
        or not int(address)
    ):
        raise Refused(text, "is not the address of a caller", "give the one that the attack comes from")
    return ip_network(f"{address}/{_CALLER[address.version]}", strict=False)


def duration(text: str) -> int:
    """Seconds. Raises Refused."""
    found = re.fullmatch(r"([1-9]\d{0,4})([mhd])", text, re.ASCII)
    seconds = int(found[1]) * _UNITS[found[2]] if found else 0
    if not 0 < seconds <= _MOST_DAYS * _UNITS["d"]:
        raise Refused("--for", f"{text!r} is not a time", f"give one such as 30m, 1h or 2d, up to {_MOST_DAYS}d")
    return seconds


def refuse_own(wanted: Network, own: Mapping[str, str]) -> None:
    """`own`: address -> whose it is. Raises Refused if one of them would be blocked."""
    for text, whose in own.items():
        if ip_address(text) in wanted:
            raise Refused(text, f"is {whose}", "block only addresses that are not ours")


def shown(blocked: Network) -> str:
    """As people give it: an address of IPv4 without the length of its network."""
    return str(blocked).removesuffix("/32")


def sentences(lines: Sequence[str]) -> Iterator[str]:
    """For people, one for each line of a host's list."""
    for line in lines:
        address, end, who, why = line.split(" ", 3)
        until = datetime.fromtimestamp(int(end), UTC)
        yield f"{shown(network(address))} until {until:%F %R} UTC, by {who}: {why}"
