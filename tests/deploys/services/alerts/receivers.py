"""Receivers of alerts on loopback, with TLS: an HTTP server that keeps what comes, and a mail server likewise."""

import base64
import socketserver
import ssl
import subprocess
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class Request:
    """One HTTP request as it came."""

    method: str
    path: str
    headers: Mapping[str, str]
    body: bytes


@dataclass
class Web:
    """What came to the HTTP server; it answers with `status`."""

    url: str = ""
    status: int = 204
    requests: list[Request] = field(default_factory=list)


@dataclass(frozen=True)
class Mail:
    """One message as it came."""

    login: str
    sender: str
    recipients: list[str]
    text: str


@dataclass
class Mailbox:
    """What came to the mail server; it answers the end of a message with `answer`."""

    url: str = ""
    answer: str = "250 kept"
    mails: list[Mail] = field(default_factory=list)


def make_certificate(folder: Path) -> Path:
    """A key and a certificate for 127.0.0.1 that signs itself, in one file."""
    pem = folder / "tls.pem"
    new = "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -noenc -days 2 -subj /CN=alerts".split()
    words: list[str | Path] = [
        "openssl",
        *new,
        "-addext",
        "subjectAltName=IP:127.0.0.1",
        "-keyout",
        pem,
        "-out",
        f"{pem}.crt",
    ]
    subprocess.run(words, check=True, capture_output=True, timeout=30)
    pem.write_text(pem.read_text() + Path(f"{pem}.crt").read_text())
    return pem


@contextmanager
def web(certificate: Path) -> Iterator[Web]:
    kept = Web()

    class Handler(BaseHTTPRequestHandler):
        def handle_any(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", "0")))
            headers = {name.lower(): value for name, value in self.headers.items()}
            kept.requests.append(Request(self.command, self.path, headers, body))
            self.send_response(kept.status)
            self.send_header("Content-Length", "0")
            self.end_headers()

        do_GET = do_POST = handle_any  # noqa: N815 - http.server's names

        def log_message(self, *_: object) -> None:
            """Quiet."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        server.socket = _context(certificate).wrap_socket(server.socket, server_side=True)
        kept.url = f"https://127.0.0.1:{server.server_address[1]}"
        with _serving(server):
            yield kept


class _MailHandler(socketserver.StreamRequestHandler):
    """As much of SMTP as curl speaks."""

    kept: Mailbox
    login = sender = ""

    def handle(self) -> None:
        recipients: list[str] = []
        self.say("220 here")
        while line := self.rfile.readline().decode("ascii").strip():
            verb, _, rest = line.partition(" ")
            if verb == "EHLO":
                self.say("250-here", "250 AUTH PLAIN")
            elif verb == "AUTH":
                self.say("334 ")
                given = base64.b64decode(self.rfile.readline()).decode()
                self.login = given.replace("\0", ":").lstrip(":")
                self.say("235 welcome")
            elif verb == "MAIL":
                self.sender = rest
                self.say("250 yes")
            elif verb == "RCPT":
                recipients.append(rest)
                self.say("250 yes")
            elif verb == "DATA":
                self.say("354 go on")
                self.kept.mails.append(Mail(self.login, self.sender, recipients, self.message()))
                self.say(self.kept.answer)
            else:
                self.say("221 bye")
                return

    def message(self) -> str:
        lines = []
        while (line := self.rfile.readline().decode("ascii")) != ".\r\n":
            assert line.endswith("\r\n"), line
            lines.append(line.removesuffix("\r\n"))
        return "\n".join(lines)

    def say(self, *lines: str) -> None:
        self.wfile.write("".join(f"{line}\r\n" for line in lines).encode())


@contextmanager
def mailbox(certificate: Path, *, encrypted: bool = True) -> Iterator[Mailbox]:
    """As smtps; or, not `encrypted`, as one that offers no TLS at all."""
    kept = Mailbox()

    handler = type("Handler", (_MailHandler,), {"kept": kept})
    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), handler) as server:
        if encrypted:
            server.socket = _context(certificate).wrap_socket(server.socket, server_side=True)
        kept.url = f"smtp{'s' if encrypted else ''}://127.0.0.1:{server.server_address[1]}"
        with _serving(server):
            yield kept


def _context(certificate: Path) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    return context


@contextmanager
def _serving(server: Any) -> Iterator[None]:  # noqa: ANN401 - either of the two kinds
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    try:
        yield
    finally:
        server.shutdown()
        thread.join(10)
