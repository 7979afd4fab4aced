"""nginx on the host: checks its certificate, tests its files before they are moved, and runs it with them.

How a change is detected, whichever page owns the file: at every start and reload the unit writes a hash over all
that nginx is about to read, and nginx itself serves it on a loopback port. So asking nginx reveals a kill between
the move and the reload, a renewed certificate and an edit by hand. The unit's drop-in contains its own hash: it
shows whether systemd has loaded that drop-in, and every start records the hash that it was started with.
"""

from collections.abc import Generator, Sequence
from shlex import quote
from typing import TYPE_CHECKING, Final

from pyinfra import logger
from pyinfra.api.command import StringCommand
from pyinfra.api.host import Host
from pyinfra.api.operation import operation
from pyinfra.context import host

from deploys.kit.errors import Refused
from deploys.kit.facts import Probe, digest
from deploys.kit.operations import hostfiles
from deploys.kit.operations.hostfiles import HostFile, render
from deploys.kit.run import page_files
from deploys.kit.run.steps import Steps
from deploys.kit.shell import SPARE_SECONDS, bounded
from deploys.services.nginx import Edge

if TYPE_CHECKING:
    from deploys.kit.run.page import Page

UNIT: Final = "nginx.service"
DROP_IN: Final = "/etc/systemd/system/nginx.service.d/50-motorcade.conf"
DIRECTORY: Final = "/etc/nginx"
OWN: Final = "/etc/nginx/motorcade"
USER: Final = "motorcade-edge"  # PLAT_05 creates it
VALID: Final = "nginx -t -q"
MAINTENANCE: Final = "/etc/motorcade/maintenance"  # while it exists, the routes answer 503
_END: Final = "maintenance is on; run deploys/maintenance.py --data state=off"
IS_OPEN: Final = f"[ ! -e {MAINTENANCE} ] || {{ echo '{_END}'; false; }}"
_CONFIGURATION: Final = "/etc/motorcade/nginx/configuration.sh"
_PREPARE: Final = "/etc/motorcade/nginx/prepare.sh"
_LOADED: Final = f'[ "$(curl --silent --max-time 5 http://127.0.0.1:8009)" = "$(sh {_CONFIGURATION})" ]'
STALE: Final = "another configuration"
_DOWN: Final = "not active"
_RESTART_SECONDS: Final = 60
_RELOAD_SECONDS: Final = 30
# Each line it prints is a fault; a restart fixes those of the unit and the process, a reload the last one.
_LOOK: Final = f"""
wanted=$(sed -n 's/^Environment=MOTORCADE_UNIT=//p' {DROP_IN})
[ "$(systemctl show -P Environment {UNIT})" = "MOTORCADE_UNIT=$wanted" ] || echo 'systemd has loaded another unit'
if ! systemctl is-active --quiet {UNIT}; then echo '{_DOWN}'; exit; fi
[ "$(cat /run/motorcade-nginx/unit)" = "$wanted" ] || echo 'started from another unit'
case $(readlink "/proc/$(systemctl show -P MainPID {UNIT})/exe") in
    *' (deleted)') echo 'the program was replaced since it started' ;;
esac
{_LOADED} || echo '{STALE}'
"""


def certificate(page: "Page") -> None:
    """Raises Refused, at load, if the certificate that the settings name cannot be served."""
    settings = page.settings.of(Edge)
    chain, key, name = settings.edge_certificate, settings.edge_key, settings.edge_host
    found = host.get_fact(Probe, _certificate_faults(quote(chain), quote(key), quote(name)))
    if not found.green:
        raise Refused(
            f"{host.name}: certificate of {name}",
            "; ".join(found.lines),
            f"put a valid certificate with its chain in {chain} and its key in {key} (docs/services/nginx.md)",
        )


def drop_in(template: str, **values: object) -> HostFile:
    """The unit's drop-in; `{{ config }}` is the hash over it."""
    draft = HostFile(DROP_IN, render(template, config="", **values))
    return HostFile(DROP_IN, render(template, config=digest(draft.meaning), **values))


def place(page: "Page", files: Sequence[HostFile]) -> None:
    """The files are below /etc/nginx; nginx accepts the whole configuration before the first is moved there."""
    hostfiles.register(page, files)
    _place(page=page, files=list(files), **page.op("configuration", hostfiles.HOST_SECONDS + SPARE_SECONDS))


def running(page: "Page") -> None:
    """It runs from its unit with its current files; reloaded if that is enough, restarted otherwise."""
    page.uses("running", _LOOK)
    _running(page=page, **page.op(f"{UNIT} runs", _RESTART_SECONDS + _RELOAD_SECONDS + SPARE_SECONDS))


def faults(host: Host) -> list[str]:
    """Why it does not run from its unit with its current files; empty if it does."""
    return host.get_fact(Probe, _LOOK).lines


def answers(settings: Edge, path: str, status: str, *, scheme: str = "https", options: str = "") -> str:
    """The shell command that succeeds when the edge answers with this status, and otherwise prints the status."""
    name = settings.edge_host
    # Only the host's own certificate is trusted, so an edge that serves another one fails.
    curl = (
        f"curl --silent --show-error --max-time 8 --output /dev/null --write-out '%{{http_code}}' --path-as-is"
        f" --cacert {quote(settings.edge_certificate)} --resolve {quote(f'{name}:443:127.0.0.1')}"
        f" --resolve {quote(f'{name}:80:127.0.0.1')} {options} {quote(f'{scheme}://{name}{path}')}"
    )
    return f'found="$({curl})"; [ "$found" = {status} ] || {{ echo "$found"; false; }}'


def handshake(name: str, version: str, words: str) -> str:
    """The shell command that succeeds when a client with only this version of TLS gets these words in answer."""
    option = f"-tls{version.removesuffix('.0').replace('.', '_')}"
    # With the host's settings and security level, OpenSSL would not even offer the old versions.
    client = f"OPENSSL_CONF=/dev/null timeout 8 openssl s_client -connect 127.0.0.1:443 {option}"
    ask = f"{client} -servername {quote(name)} -cipher DEFAULT@SECLEVEL=0 </dev/null 2>&1"
    return f'found="$({ask})"; case "$found" in *{quote(words)}*) ;; *) echo "$found" | tail -n 20; false ;; esac'


@operation()
def _place(page: "Page", files: list[HostFile]) -> Generator[StringCommand]:
    wanted = hostfiles.differing(files)
    if not wanted:
        host.noop(f"{page.id}: {len(files)} files are up to date")
        return
    page.may_change(", ".join(file.path for file in wanted))
    base = f"{hostfiles.STAGING}/{page.id}/nginx"
    new, proof = f"{base}/new", f"{base}/proof"
    script = [
        hostfiles.clean(base, wanted),
        f"rm -rf {base}",
        hostfiles.unpack(new),
        # Includes are relative, so nginx reads the copy, not the original.
        f"cp -R {DIRECTORY}/. {proof}; cp -R {new}{DIRECTORY}/. {proof}",
        f"sh {_PREPARE}; mkdir -p /run/nginx",  # as the unit does, which may not have run yet
        f"{VALID} -c {proof}/nginx.conf",
        hostfiles.replace(new, wanted),
    ]
    yield bounded("; ".join(script), hostfiles.HOST_SECONDS, hostfiles.archive(wanted))


@operation()
def _running(page: "Page") -> Generator[StringCommand]:
    found = faults(host)
    if not found:
        host.noop(f"{page.id}: {UNIT} runs as configured")
        return
    if found == [STALE] and (edited := _edited_by_others(page)):
        # A reload now would put the edit live; the page that owns the file reports and restores it.
        logger.warning(f"{page.id}: {', '.join(edited)}; nginx is not reloaded until that page has run")
        host.noop(f"{page.id}: {UNIT} waits")
        return
    # Starting an unchanged configuration changes nothing that is frozen.
    if found != [_DOWN]:
        page.may_change(f"{UNIT} ({', '.join(found)})")
    if found == [STALE]:
        yield bounded(f"systemctl reload {UNIT}", _RELOAD_SECONDS)
    else:
        # A reached start limit would refuse; a unit that did not fail has nothing to reset.
        reset = f"systemctl reset-failed {UNIT} 2>/dev/null || true"
        yield bounded(f"systemctl daemon-reload; {reset}; systemctl restart {UNIT}", _RESTART_SECONDS)
    yield bounded(f"until {_LOADED}; do sleep 0.2; done", _RELOAD_SECONDS)


def _edited_by_others(page: "Page") -> list[str]:
    """Files of nginx that belong to other pages and have changed since; each with its page."""
    others = [step for name, step in host.get_fact(Steps).items() if name != page.id]
    owned = {path: step for step in others for path in step.files if path.startswith(f"{DIRECTORY}/")}
    found = page_files.sums(host, owned)
    return [
        f"{path} belongs to {step.page} and was changed"
        for path, step in owned.items()
        if found.get(path) != step.files[path]
    ]


def _certificate_faults(chain: str, key: str, name: str) -> str:
    """Shell that fails with the first fault it finds. The key is compared on the host and never leaves it."""
    return f"""
say() {{ echo "$1"; exit 1; }}
command -v openssl >/dev/null || say 'openssl is not on the host'
[ -f {chain} ] || say {chain}' is missing'
[ -f {key} ] || say {key}' is missing'
[ "$(stat -L -c '%U %a' {key})" = 'root 600' ] || [ "$(stat -L -c '%U %a' {key})" = 'root 400' ] ||
    say {key}' is readable by others than root: chmod 600'
openssl x509 -noout -in {chain} 2>/dev/null || say {chain}' does not begin with a certificate'
openssl x509 -noout -checkend 0 -in {chain} >/dev/null ||
    say "it expired: $(openssl x509 -noout -enddate -in {chain})"
openssl x509 -noout -checkhost {name} -in {chain} | grep -q 'does match' || say 'it is for another name'
[ "$(openssl x509 -noout -pubkey -in {chain})" = "$(openssl pkey -pubout -in {key} -passin pass: 2>/dev/null)" ] ||
    say {key}' does not match the certificate'
"""
