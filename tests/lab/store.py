"""The S3 store of a lab host: a real one, with TLS by the lab's authority, on the machine that carries the lab."""

import json
import socket
import ssl
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from deploys.kit.secrets import Vault
from tests.lab import certificates
from tests.lab.cgroup import Group
from tests.lab.command import run, tail, until
from tests.lab.errors import LabError

if TYPE_CHECKING:
    from tests.lab.host import Host

BUCKET: Final = "backups"
PORT: Final = 8443
INNER: Final = "127.0.0.1"  # where its parts meet, each host's by other ports
READY_SECONDS: Final = 60
KEYS: Final = ("backup-s3-key-id", "backup-s3-key")


@dataclass(frozen=True)
class Store:
    """SeaweedFS for one host; what it holds outlives a stop."""

    host: "Host"

    @property
    def folder(self) -> Path:
        return self.host.directory / "store"

    @property
    def group(self) -> Group:
        return Group(f"{self.host.name}-store")

    @property
    def runs(self) -> bool:
        return bool(self.group.pids())

    def start(self, *, keys: tuple[str, str] | None = None) -> None:
        """Wait until it answers; it knows the key pair of the host's secrets, or another one."""
        if self.runs:
            return
        (self.folder / "data").mkdir(parents=True, exist_ok=True)
        if not (self.folder / "edge.pem").exists():
            certificates.renew(self.host.directory, self.folder, name=certificates.STORE)
        (self.folder / "users.json").write_text(json.dumps(_users(*(keys or self.keys()))), encoding="ascii")
        number = self.host.network.number
        words = self.group.words(
            Path(sys.executable).with_name("weed"),
            *f"-logtostderr=true server -s3 -ip={INNER} -ip.bind={INNER} -dir={self.folder / 'data'}".split(),
            *f"-master.port={20000 + number} -volume.port={20100 + number} -filer.port={20200 + number}".split(),
            *"-master.volumeSizeLimitMB=256 -master.volumePreallocate=false -volume.max=0".split(),
            *f"-s3.ip.bind={self.host.network.gateway} -s3.port={PORT} -s3.port.grpc={20300 + number}".split(),
            *"-s3.port.iceberg=0 -s3.port.lance=0".split(),
            *f"-s3.cert.file={self.folder / 'edge.pem'} -s3.key.file={self.folder / 'edge.key'}".split(),
            f"-s3.config={self.folder / 'users.json'}",
        )
        script = 'log=$1; shift; cd "$1"; shift; exec setsid --fork "$@" </dev/null >>"$log" 2>&1'
        run("sh", "-c", script, "sh", self.folder / "log", self.folder, *words)
        if not until(self._answers, READY_SECONDS):
            log = (self.folder / "log").read_text(encoding="utf-8", errors="replace")
            raise LabError(str(self.folder), f"no answer after {READY_SECONDS} s", f"its log ends:\n{tail(log)}")
        self._shell(f"s3.bucket.create -name {BUCKET}")

    def _shell(self, command: str) -> None:
        """What the store's owner says to it; the host's user may make no bucket."""
        number = self.host.network.number
        parts = f"-master={INNER}:{20000 + number} -filer={INNER}:{20200 + number}".split()
        subprocess.run(
            [Path(sys.executable).with_name("weed"), "shell", *parts],
            input=f"{command}\n",
            capture_output=True,
            text=True,
            timeout=READY_SECONDS,
            check=False,
        )

    def stop(self) -> None:
        self.group.remove()

    def keys(self) -> tuple[str, str]:
        """Name and key of the host's user."""
        vault = Vault(self.host.directory / "secrets", self.host.directory / "identity.txt")
        return vault.reveal(KEYS[0]), vault.reveal(KEYS[1])

    def _answers(self) -> bool:
        context = ssl.create_default_context(cafile=str(self.host.directory / "ca.pem"))
        try:
            with (
                socket.create_connection((self.host.network.gateway, PORT), 1) as plain,
                context.wrap_socket(plain, server_hostname=certificates.STORE) as wire,
            ):
                wire.sendall(f"GET /{BUCKET} HTTP/1.0\r\nHost: {certificates.STORE}:{PORT}\r\n\r\n".encode())
                return b"AccessDenied" in wire.recv(65536) or True
        except OSError:
            return False


def _users(name: str, key: str) -> dict[str, object]:
    credentials = [{"accessKey": name, "secretKey": key}]
    actions = [f"{action}:{BUCKET}" for action in ("Read", "Write", "List")]
    return {"identities": [{"name": "backup", "credentials": credentials, "actions": actions}]}
