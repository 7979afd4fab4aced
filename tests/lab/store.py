"""The S3 store of a lab host: a real one, with TLS by the lab's authority, on the machine that carries the lab."""

import json
import socket
import ssl
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from deploys.kit.secrets import Vault
from tests.lab import certificates
from tests.lab.cgroup import Group
from tests.lab.command import run, tail, until
from tests.lab.errors import LabError
from tests.lab.network import Network

BUCKET: Final = "backups"
PORT: Final = 8443
READY_SECONDS: Final = 60
INNER: Final = "127.0.0.1"  # where its parts meet, each host's by ports of its own
PARTS: Final = {"master": 20000, "volume": 20100, "filer": 20200, "s3": 20300}


@dataclass(frozen=True)
class Store:
    """SeaweedFS for one host, by the address that the host knows as its gateway; its data outlive a stop."""

    name: str
    directory: Path  # the host's
    network: Network

    @property
    def folder(self) -> Path:
        return self.directory / "store"

    @property
    def data(self) -> Path:
        return self.folder / "data"

    @property
    def group(self) -> Group:
        return Group(f"{self.name}-store")

    def start(self, keys: tuple[str, str] | None = None) -> None:
        """Back when it answers. It knows the key pair of the host's secrets, or another one."""
        if self.group.pids():
            return
        self.data.mkdir(parents=True, exist_ok=True)
        certificates.renew(self.directory, self.folder, name=certificates.STORE)
        (self.folder / "users.json").write_text(json.dumps(_users(*(keys or self.keys()))), encoding="ascii")
        ports = self._ports()
        words = self.group.words(
            _program(),
            *f"-logtostderr=true server -s3 -ip={INNER} -ip.bind={INNER} -dir={self.data}".split(),
            *f"-master.port={ports['master']} -volume.port={ports['volume']} -filer.port={ports['filer']}".split(),
            *"-master.volumeSizeLimitMB=256 -master.volumePreallocate=false -volume.max=0".split(),
            *f"-s3.ip.bind={self.network.gateway} -s3.port={PORT} -s3.port.grpc={ports['s3']}".split(),
            *"-s3.port.iceberg=0 -s3.port.lance=0".split(),
            *f"-s3.cert.file={self.folder / 'edge.pem'} -s3.key.file={self.folder / 'edge.key'}".split(),
            f"-s3.config={self.folder / 'users.json'}",
        )
        script = 'log=$1; shift; exec setsid --fork "$@" </dev/null >>"$log" 2>&1'
        run("sh", "-c", script, "sh", self.folder / "log", *words)
        if not until(lambda: self._answers() and self._has_bucket(), READY_SECONDS):
            log = (self.folder / "log").read_text(encoding="utf-8", errors="replace")
            raise LabError(str(self.folder), f"no answer after {READY_SECONDS} s", f"its log ends:\n{tail(log)}")

    def stop(self) -> None:
        """As if it were struck by lightning."""
        self.group.remove()

    def keys(self) -> tuple[str, str]:
        """Name and key of the host's user."""
        vault = Vault(self.directory / "secrets", self.directory / "identity.txt")
        return vault.reveal("backup-s3-key-id"), vault.reveal("backup-s3-key")

    def _answers(self) -> bool:
        context = ssl.create_default_context(cafile=str(self.directory / "ca.pem"))
        try:
            with context.wrap_socket(socket.socket(), server_hostname=certificates.STORE) as open_:
                open_.settimeout(1)
                open_.connect((self.network.gateway, PORT))
                return True
        except OSError:
            return False

    def _has_bucket(self) -> bool:
        """Made by the store's owner: the host's user may make none."""
        ports = self._ports()
        words: list[str | Path] = [
            _program(),
            "shell",
            f"-master={INNER}:{ports['master']}",
            f"-filer={INNER}:{ports['filer']}",
        ]
        given = f"s3.bucket.create -name {BUCKET}\ns3.bucket.list\n"
        done = subprocess.run(words, input=given, capture_output=True, text=True, timeout=20, check=False)
        return BUCKET in done.stdout

    def _ports(self) -> dict[str, int]:
        """SeaweedFS takes for each of them the one that is 10,000 higher too."""
        return {part: first + self.network.number for part, first in PARTS.items()}


def _program() -> Path:
    return Path(sys.executable).with_name("weed")


def _users(name: str, key: str) -> dict[str, object]:
    credentials = [{"accessKey": name, "secretKey": key}]
    actions = [f"{action}:{BUCKET}" for action in ("Read", "Write", "List")]
    return {"identities": [{"name": "backup", "credentials": credentials, "actions": actions}]}
