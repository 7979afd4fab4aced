"""The intake's API keys: joined from the vault, checked as the intake will, and put on the host.

The file holds digests of random keys, so it is not secret. The vault has two of the keys themselves, from
which their lines are made: the probe's key goes to Podman only, and the site's to the edge only.
"""

from datetime import UTC, datetime, timedelta
from shlex import quote
from typing import TYPE_CHECKING, Final

from pyinfra.api.host import Host

from deploys.kit import secrets
from deploys.kit.errors import Refused
from deploys.kit.facts import Probe
from deploys.kit.operations import hostfiles
from deploys.kit.operations.hostfiles import HostFile
from deploys.services.leadgen import LEADGEN, leadgen
from leadgen.domain import api_key, site
from leadgen.domain.synthetic import CLIENT_ID
from leadgen.errors import KeyFileError

if TYPE_CHECKING:
    from deploys.kit.plan.settings import Settings
    from deploys.kit.run.page import Page

KEYS: Final = "leadgen-api-keys"
PROBE: Final = "leadgen-probe-key"
SITE: Final = "leadgen-site-key"
FILE: Final = "/etc/motorcade/leadgen/api-keys"
_COMMAND: Final = "python -m deploys.kit.secrets set"
# Whose the keys are, as the commands of their declarations say.
_CLIENTS: Final = {PROBE: CLIENT_ID, SITE: site.CLIENT_ID}
_MADE_BY: Final = {secret.name: secret.made_by for secret in LEADGEN.secrets}


def deliver(page: "Page", *, owned: bool) -> None:
    """The file is on the host and the probe's key in Podman; `owned` by the page that is responsible for it.

    Raises Refused, at load, for an unusable secret and for a line that the intake would not read.
    """
    wanted = file(page)
    secrets.deliver(page, [PROBE])
    put = hostfiles.place if owned else hostfiles.lend
    put(page, [wanted], "API keys")


def ending(host: Host, days: int) -> list[str]:
    """Keys on the host that have expired or will within `days`, as `where: what; what to do`."""
    answer = host.get_fact(Probe, f"[ ! -f {FILE} ] || cat {FILE}")
    if not answer.green:
        return [f"{FILE}: cannot be read; check it on the host"]
    if not answer.lines:
        return []
    try:
        ring = api_key.KeyRing.load("\n".join(answer.lines), FILE)
    except KeyFileError as error:
        return [f"{FILE}: {error.what}; deploys/leadgen_06.py restores it from the vault"]
    now = datetime.now(UTC)
    return [
        f"API key {key.client.key_id}: of {key.client.client_id} {'expired' if key.expired(now) else 'expires'} at"
        f" {key.expires_text}; docs/runbooks/rotate-an-api-key.md"
        for key in ring
        if key.expired(now + timedelta(days=days))
    ]


def file(page: "Page") -> HostFile:
    """The keys file as it must be. Raises Refused."""
    secrets.require(page.settings, [KEYS, *_CLIENTS])
    return HostFile(FILE, _text(page.settings), "640", "root", leadgen.USER)


def knows_site(page: "Page") -> str:
    """Shell: succeeds if the keys file has the line of the site's key, or is on another host. Raises Refused."""
    secrets.require(page.settings, [SITE])
    line, where = quote(_line(page.settings, SITE)), quote(FILE)
    why = quote(f"{FILE}: does not have the site's key of the vault; run deploys/leadgen_06.py first")
    return f"[ ! -e {where} ] || grep -qxF {line} {where} || {{ echo {why}; false; }}"


def _text(settings: "Settings") -> str:
    where = str(settings.secrets_directory / f"{KEYS}.age")
    lines = [line.strip() for line in secrets.reveal(settings, KEYS).split(";")]
    text = "\n".join([*filter(None, lines), *(_line(settings, name) for name in _CLIENTS)]) + "\n"
    try:
        ring = api_key.KeyRing.load(text, where)
    except KeyFileError as error:
        raise Refused(
            error.where, error.what, f"separate the lines of `leadgen keys new` with `;`: {_COMMAND}"
        ) from None
    if [entry.client.client_id for entry in ring].count(CLIENT_ID) > 1:
        raise Refused(where, f"contains a key of {CLIENT_ID}", f"remove it; that key belongs in {PROBE}")
    return text


def _line(settings: "Settings", name: str) -> str:
    """The line of a key that the vault has itself."""
    key = secrets.reveal(settings, name)
    key_id = api_key.key_id_of(key)
    if key_id is None:
        where = str(settings.secrets_directory / f"{name}.age")
        raise Refused(where, "is not an API key", f"set what `{_MADE_BY[name]}` prints: {_COMMAND}")
    return f"{key_id} {_CLIENTS[name]} intake {api_key.digest_of(key).hex()} never"
