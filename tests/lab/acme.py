"""An ACME server of a lab host: pebble, Let's Encrypt's own for tests, with a name server for what it validates.

It refuses one nonce in twenty, as real servers do now and then.
"""

import json
import shutil
import socket
import ssl
import subprocess
import urllib.request
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Final

from tests.lab import certificates
from tests.lab.cgroup import Group
from tests.lab.command import run, tail, until
from tests.lab.errors import LabError
from tests.lab.folders import CACHE, HERE
from tests.lab.host import Host

PORT: Final = 14000
_MANAGEMENT: Final = 15000
_NAMES: Final = 8053
_NAMES_MANAGEMENT: Final = 8055
DIRECTORY: Final = f"https://{certificates.STORE}:{PORT}/dir"
PROFILES: Final = {"shortlived": 6 * 86400, "brief": 60}  # seconds that a certificate of it is valid
READY_SECONDS: Final = 30
_BUILD_SECONDS: Final = 600
_MODULE: Final = "github.com/letsencrypt/pebble/v2/cmd"
_TARGET: Final = CACHE / "pebble"


@cache
def missing() -> str:
    """Why it cannot be built here, in words; empty when it was."""
    if not shutil.which("go"):
        return "this machine has no go"
    words = [
        "go",
        "build",
        "-mod=readonly",
        "-o",
        f"{_TARGET}/",
        f"{_MODULE}/pebble",
        f"{_MODULE}/pebble-challtestsrv",
    ]
    _TARGET.mkdir(parents=True, exist_ok=True)
    done = subprocess.run(
        words, cwd=HERE / "pebble", capture_output=True, text=True, timeout=_BUILD_SECONDS, check=False
    )
    return f"go cannot build pebble: {tail(done.stderr)}" if done.returncode else ""


@dataclass(frozen=True)
class Server:
    """One for one host, by the address that the host knows as its gateway. It forgets everything when it stops."""

    host: Host

    @property
    def folder(self) -> Path:
        return self.host.directory / "acme"

    @property
    def group(self) -> Group:
        return Group(f"{self.host.name}-acme")

    def start(self) -> None:
        """Back when it answers."""
        self.folder.mkdir(parents=True, exist_ok=True)
        certificates.renew(self.host.directory, self.folder, name=certificates.STORE)
        gateway = self.host.network.gateway
        profiles = {name: {"description": name, "validityPeriod": seconds} for name, seconds in PROFILES.items()}
        config = {
            "listenAddress": f"{gateway}:{PORT}",
            "managementListenAddress": f"{gateway}:{_MANAGEMENT}",
            "certificate": str(self.folder / "edge.pem"),
            "privateKey": str(self.folder / "edge.key"),
            "httpPort": 80,
            "tlsPort": 443,
            "profiles": profiles,
        }
        (self.folder / "config.json").write_text(json.dumps({"pebble": config}), encoding="ascii")
        names = f"{gateway}:{_NAMES}"
        self._run(
            "pebble-challtestsrv",
            *("-dnsserver", names, "-management", f"{gateway}:{_NAMES_MANAGEMENT}"),
            *("-defaultIPv4", self.host.address, "-defaultIPv6", ""),
            *("-http01", "", "-https01", "", "-tlsalpn01", "", "-doh", ""),
        )
        self._run("pebble", "-config", str(self.folder / "config.json"), "-dnsserver", names)
        if not until(lambda: _listens(gateway, PORT) and _listens(gateway, _NAMES_MANAGEMENT), READY_SECONDS):
            log = (self.folder / "log").read_text(encoding="utf-8", errors="replace")
            raise LabError(str(self.folder), f"no answer after {READY_SECONDS} s", f"its log ends:\n{tail(log)}")

    def stop(self) -> None:
        self.group.remove()

    def root(self) -> str:
        """The certificate that signs all that it issues, another one after each start."""
        context = ssl.create_default_context(cafile=str(self.host.directory / "ca.pem"))
        context.check_hostname = False
        with urllib.request.urlopen(
            f"https://{self.host.network.gateway}:{_MANAGEMENT}/roots/0", timeout=10, context=context
        ) as answer:
            return str(answer.read().decode("ascii"))

    def points_to(self, address: str) -> None:
        """Where it looks for the host from now on."""
        where = f"http://{self.host.network.gateway}:{_NAMES_MANAGEMENT}/set-default-ipv4"
        urllib.request.urlopen(where, data=json.dumps({"ip": address}).encode(), timeout=10).close()

    def _run(self, program: str, *words: str) -> None:
        # Otherwise it sleeps up to a quarter of a minute before a validation, and skips every second one.
        how = ("PEBBLE_VA_NOSLEEP=1", "PEBBLE_AUTHZREUSE=0")
        script = 'log=$1; shift; exec setsid --fork "$@" </dev/null >>"$log" 2>&1'
        command = self.group.words("env", *how, _TARGET / program, *words)
        run("sh", "-c", script, "sh", self.folder / "log", *command)


def _listens(address: str, port: int) -> bool:
    try:
        socket.create_connection((address, port), timeout=1).close()
    except OSError:
        return False
    return True
