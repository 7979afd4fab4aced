"""The receiver of a lab host's alerts: HTTPS on the machine that carries the lab; what it took is in a file.

As a program: `python -m tests.lab.receiver ADDRESS PORT CERTIFICATE KEY FILE`.
"""

import json
import runpy
import socket
import ssl
import sys
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

from tests.lab import certificates
from tests.lab.cgroup import Group
from tests.lab.command import run, tail, until
from tests.lab.errors import LabError
from tests.lab.folders import PROJECT
from tests.lab.network import Network

_SETTINGS: Final = runpy.run_path(str(PROJECT / "group_data/lab.py"))
PORT: Final = urlsplit(_SETTINGS["alerts_webhook_url"]).port or 443
READY_SECONDS: Final = 30


@dataclass(frozen=True)
class Receiver:
    """One for one host, by the address that the host knows as its gateway."""

    name: str
    directory: Path  # the host's
    network: Network

    @property
    def folder(self) -> Path:
        return self.directory / "receiver"

    @property
    def group(self) -> Group:
        return Group(f"{self.name}-receiver")

    def start(self) -> None:
        """Back when it listens."""
        if self.group.pids():
            return
        self.folder.mkdir(parents=True, exist_ok=True)
        certificates.renew(self.directory, self.folder, name=certificates.STORE)
        words = self.group.words(
            sys.executable,
            *("-m", "tests.lab.receiver", self.network.gateway, str(PORT)),
            *(self.folder / "edge.pem", self.folder / "edge.key", self.folder / "received.jsonl"),
        )
        script = 'log=$1; cd "$2"; shift 2; exec setsid --fork "$@" </dev/null >>"$log" 2>&1'
        run("sh", "-c", script, "sh", self.folder / "log", PROJECT, *words)
        if not until(self._listens, READY_SECONDS):
            log = (self.folder / "log").read_text(encoding="utf-8", errors="replace")
            raise LabError(str(self.folder), f"no answer after {READY_SECONDS} s", f"its log ends:\n{tail(log)}")

    def stop(self) -> None:
        self.group.remove()

    def received(self) -> list[dict[str, Any]]:
        """Each request: its headers, and its body as text."""
        file = self.folder / "received.jsonl"
        if not file.exists():
            return []
        return [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()]

    def documents(self) -> list[dict[str, Any]]:
        """What the requests say."""
        return [json.loads(each["body"]) for each in self.received()]

    def _listens(self) -> bool:
        try:
            socket.create_connection((self.network.gateway, PORT), timeout=1).close()
        except OSError:
            return False
        return True


class _Handler(BaseHTTPRequestHandler):
    """Keeps each POST before it answers."""

    file = Path()

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"])).decode()
        headers = {name.lower(): value for name, value in self.headers.items()}
        with self.file.open("a", encoding="utf-8") as kept:
            kept.write(json.dumps({"headers": headers, "body": body}) + "\n")
        self.send_response(204)
        self.end_headers()


def serve(address: str, port: str, certificate: str, key: str, file: str) -> None:
    _Handler.file = Path(file)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    with ThreadingHTTPServer((address, int(port)), _Handler) as server:
        server.socket = context.wrap_socket(server.socket, server_side=True)
        server.serve_forever()


if __name__ == "__main__":
    serve(*sys.argv[1:])
