"""A host's way out: one address on a virtual wire, translated by the machine."""

import socket
import ssl
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from tests.lab.certificates import EDGE
from tests.lab.command import run, succeeds, until
from tests.lab.errors import LabError
from tests.lab.folders import lock

LINK_SECONDS = 10
SUBNETS = "10.78.0.0/16"
MARK = "motorcade-lab"
FORWARDING = Path("/proc/sys/net/ipv4/ip_forward")
# All checkouts on a machine share its firewall: what was there before, and the lock, are the machine's.
FORWARDING_BEFORE = Path("/run/motorcade-lab-ip-forward")
MACHINE_LOCK = FORWARDING_BEFORE.parent


@dataclass(frozen=True)
class Network:
    number: int

    @property
    def gateway(self) -> str:
        return f"10.78.{self.number}.1"

    @property
    def address(self) -> str:
        return f"10.78.{self.number}.2"

    @property
    def guest(self) -> str:
        """The name under which systemd-nspawn makes the interface; an interface has 15 characters at most."""
        return f"mlab-{self.number:02}"

    @property
    def interface(self) -> str:
        return f"ve-{self.guest}"

    @property
    def exists(self) -> bool:
        return Path("/sys/class/net", self.interface).exists()

    def open(self) -> None:
        """Let the host out; keeps what is open already."""
        with lock(MACHINE_LOCK):
            if not FORWARDING_BEFORE.exists():
                FORWARDING_BEFORE.write_text(FORWARDING.read_text(encoding="ascii"), encoding="ascii")
            FORWARDING.write_text("1", encoding="ascii")
            for table, chain, rule in self._rules():
                if not succeeds("iptables", "-w", "-t", table, "-C", chain, *rule):
                    run("iptables", "-w", "-t", table, "-I", chain, *rule)

    def connect(self) -> None:
        """Give the machine's end of the wire its address, once systemd-nspawn has made it."""
        if not until(lambda: self.exists, LINK_SECONDS):
            raise LabError(self.interface, f"not there after {LINK_SECONDS} s", "read the console")
        run("ip", "address", "replace", f"{self.gateway}/24", "dev", self.interface)
        run("ip", "link", "set", self.interface, "up")

    def dial(
        self, port: int, seconds: float, source: str = "", trusted: ssl.SSLContext | None = None
    ) -> socket.socket:
        """A connection to the host, by its wire only: what is sent to one that is gone leaves by no other way.

        With `trusted`, TLS to the edge. The socket is wrapped before it connects, so that it can be closed here:
        Python loses one that is reset between its connection and its wrapping.
        """
        made = socket.socket()
        if trusted:
            made = trusted.wrap_socket(made, server_hostname=EDGE)
        try:
            made.settimeout(seconds)
            made.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, self.interface.encode())
            if source:
                made.bind((source, 0))
            made.connect((self.address, port))
        except OSError:
            made.close()
            raise
        return made

    def addresses(self, numbers: range) -> list[str]:
        """More of them on the machine's end, for callers who come from different places."""
        return [f"10.78.{self.number}.{number}" for number in numbers]

    def open_addresses(self, numbers: range) -> None:
        """They go with the interface."""
        for address in self.addresses(numbers):
            run("ip", "address", "replace", f"{address}/24", "dev", self.interface)

    def close(self) -> None:
        """Leave nothing of it; the last host's end restores the machine's forwarding."""
        with lock(MACHINE_LOCK):
            for table, chain, rule in self._rules():
                while succeeds("iptables", "-w", "-t", table, "-C", chain, *rule):
                    run("iptables", "-w", "-t", table, "-D", chain, *rule)
            if not until(lambda: not self.exists, LINK_SECONDS):
                run("ip", "link", "delete", self.interface)
            if FORWARDING_BEFORE.exists() and MARK not in run("iptables", "-w", "-t", "nat", "-S", "POSTROUTING"):
                FORWARDING.write_text(FORWARDING_BEFORE.read_text(encoding="ascii"), encoding="ascii")
                FORWARDING_BEFORE.unlink()

    def _rules(self) -> Iterator[tuple[str, str, list[str]]]:
        mark = ["-m", "comment", "--comment", f"{MARK}-{self.number:02}"]
        subnet = f"10.78.{self.number}.0/24"
        yield "nat", "POSTROUTING", ["-s", subnet, "!", "-d", SUBNETS, *mark, "-j", "MASQUERADE"]
        # A machine with other containers may drop what it does not know.
        yield "filter", "FORWARD", ["-i", self.interface, *mark, "-j", "ACCEPT"]
        yield "filter", "FORWARD", ["-o", self.interface, *mark, "-j", "ACCEPT"]
