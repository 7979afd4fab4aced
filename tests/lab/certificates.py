"""A lab host's certificate, and the authority that signs it: clients trust `ca.pem` in the host's folder."""

import runpy
import shutil
from pathlib import Path
from typing import Final

from tests.lab.command import run
from tests.lab.folders import PROJECT

_SETTINGS: Final = runpy.run_path(str(PROJECT / "group_data/lab.py"))
EDGE: Final[str] = _SETTINGS["edge_host"]
STORE: Final[str] = _SETTINGS["backup_endpoint"].partition(":")[0]
FOLDER: Final = "etc/ssl/motorcade"
_KEY: Final = "-newkey ec -pkeyopt ec_paramgen_curve:P-256 -noenc".split()
_DAYS: Final = "30"


def install(folder: Path, root: Path) -> None:
    """Make the authority in `folder`, and put it and the edge's certificate and key where group_data says."""
    _authority(folder)
    (root / FOLDER).mkdir(mode=0o755)
    shutil.copy(folder / "ca.pem", root / FOLDER)
    renew(folder, root / FOLDER)


def renew(folder: Path, target: Path, *, name: str = EDGE, days: str = _DAYS) -> None:
    """A new key and certificate, `edge.key` and `edge.pem` in `target`; one of -1 days ended yesterday."""
    request, key, pem = (target / f"new-{file}" for file in ("request", "edge.key", "edge.pem"))
    key.touch(mode=0o600)
    for_name = ["-subj", f"/CN={name}", "-addext", f"subjectAltName=DNS:{name}"]
    run("openssl", "req", *_KEY, "-keyout", key, "-out", request, *for_name)
    signed: list[str | Path] = [
        "-CA",
        folder / "ca.pem",
        "-CAkey",
        folder / "ca.key",
        "-copy_extensions",
        "copy",
        "-days",
        days,
    ]
    run("openssl", "x509", "-req", "-in", request, "-out", pem, *signed)
    request.unlink()
    for made in (key, pem):
        made.replace(target / made.name.removeprefix("new-"))


def _authority(folder: Path) -> None:
    (folder / "ca.key").touch(mode=0o600)
    run(
        *("openssl", "req", "-x509", *_KEY, "-keyout", str(folder / "ca.key"), "-out", str(folder / "ca.pem")),
        *("-subj", "/CN=Motorcade lab", "-days", _DAYS, "-addext", "keyUsage=critical,keyCertSign"),
    )
