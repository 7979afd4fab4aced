"""How this machine reaches packages, so that the lab reaches them in the same way."""

import platform
import re
import sys
from pathlib import Path

from tests.lab.command import run
from tests.lab.errors import LabError

CA_BUNDLE = Path("/etc/ssl/certs/ca-certificates.crt")
OWN_AUTHORITIES = Path("/usr/local/share/ca-certificates")
APT_FILE = "etc/apt/apt.conf.d/90machine"
# Mirrors, proxies, and how old or early an index may be. The rest of apt's settings is the host's own business.
APT_SETTINGS = re.compile(r'^Acquire::(https?\b|Check-|Retries|ForceIPv).*"[^"]+";$', re.MULTILINE)
PIP_SETTING = re.compile(
    r"^(?:global|:env:)\.(index-url|extra-index-url|proxy|trusted-host|cert)='(.*)'$", re.MULTILINE
)


def sources(suite: str) -> list[str]:
    """The machine's Debian mirrors as sources of another suite; none when the machine is no Debian."""
    system = platform.freedesktop_os_release()
    if system["ID"] != "debian":
        return []
    own = system["VERSION_CODENAME"]
    targets = run(
        *"apt-get indextargets --no-release-info --format".split(),
        "$(REPO_URI) $(RELEASE) $(COMPONENT)",
        "Created-By: Packages",
    )
    found = [line.split() for line in dict.fromkeys(targets.splitlines())]
    return [
        f"deb {address} {release.replace(own, suite)} main"
        for address, release, component in found
        if component == "main" and release in {own, f"{own}-updates", f"{own}-security"}
    ]


def settings() -> dict[str, bytes]:
    """Files as they belong below another system's root, by path."""
    apt = "".join(f"{match[0]}\n" for match in APT_SETTINGS.finditer(run("apt-config", "dump")))
    pip = pip_settings(run(sys.executable, "-m", "pip", "config", "list"))
    authorities = {str(file.relative_to("/")): file.read_bytes() for file in OWN_AUTHORITIES.glob("*.crt")}
    return {APT_FILE: apt.encode(), "etc/pip.conf": pip.encode(), **authorities}


def resolver() -> str:
    """The text of a resolv.conf that works beyond this machine."""
    # systemd-resolved keeps the true servers here, when /etc/resolv.conf names only itself.
    for file in (Path("/run/systemd/resolve/resolv.conf"), Path("/etc/resolv.conf")):
        if file.exists() and not re.search(r"^nameserver\s+127\.", text := file.read_text("utf-8"), re.MULTILINE):
            return text
    raise LabError("/etc/resolv.conf", "its server answers this machine only", "name one that others can ask")


def pip_settings(listed: str) -> str:
    """pip's own merge of its files and environment, without the folders that exist on this machine only."""
    settings = {}
    for name, value in PIP_SETTING.findall(listed):
        if words := [word for word in value.split() if not word.startswith("file:")]:
            settings[name] = " ".join(words)
    if "cert" in settings:
        settings["cert"] = str(CA_BUNDLE)
    return "[global]\n" + "".join(f"{name} = {value}\n" for name, value in settings.items())
