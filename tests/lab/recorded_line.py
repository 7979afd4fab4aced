"""A line on record, run where an operator runs it: with their identity and their own way to the host."""

import os
import shlex
import subprocess
import sys
from pathlib import Path

from tests.lab.host import Host

SECONDS = 120
# What `age --decrypt --identity FILE` and `age-keygen -o FILE` do, by the library that the pages use.
AGE = """
import sys
import pyrage
assert sys.argv[1:3] == ["--decrypt", "--identity"]
identities = [
    pyrage.x25519.Identity.from_str(line)
    for line in open(sys.argv[3]).read().splitlines() if line.startswith("AGE-SECRET-KEY-")
]
sys.stdout.buffer.write(pyrage.decrypt(sys.stdin.buffer.read(), identities))
"""
AGE_KEYGEN = """
import sys
import pyrage
assert sys.argv[1] == "-o"
identity = pyrage.x25519.Identity.generate()
with open(sys.argv[2], "x") as file:
    file.write(f"# public key: {identity.to_public()}\\n{identity}\\n")
print(f"Public key: {identity.to_public()}")
"""


def install(host: Host, programs: Path) -> None:
    """An operator's programs in an empty folder; `ssh NAME …` reaches the host."""
    (programs / "age.py").write_text(AGE)
    (programs / "age-keygen.py").write_text(AGE_KEYGEN)
    for name, text in {
        "ssh": f'[ "$1" = {host.name} ] || exit 255; shift; exec {shlex.join(host.ssh_words())} "$@"',
        "age": f'exec {shlex.quote(sys.executable)} {programs}/age.py "$@"',
        "age-keygen": f'exec {shlex.quote(sys.executable)} {programs}/age-keygen.py "$@"',
    }.items():
        (programs / name).write_text(f"#!/bin/sh\nPATH={os.environ['PATH']}\n{text}\n")
        (programs / name).chmod(0o755)


def run(host: Host, line: str, programs: Path, identity: Path | None = None) -> subprocess.CompletedProcess[str]:
    """Run a shell line in which `ssh NAME …` reaches the host; whatever its end. `programs` is an empty folder."""
    install(host, programs)
    environ = {
        "PATH": f"{programs}:{os.environ['PATH']}",
        "MOTORCADE_AGE_IDENTITY": str(identity or host.directory / "identity.txt"),
    }
    return subprocess.run(
        ["bash", "-o", "pipefail", "-c", line],
        env={**os.environ, **environ},
        capture_output=True,
        text=True,
        timeout=SECONDS,
        check=False,
    )
