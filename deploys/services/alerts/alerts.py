"""Alerts on a host: programs, units and drop-ins, the channels that are configured, and the checks of the page."""

import base64
import binascii
import re
from collections.abc import Collection, Iterator
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Any, Final

from pyinfra import logger
from pyinfra.context import host

from deploys.kit import secrets
from deploys.kit.errors import Refused
from deploys.kit.operations import gate, hostfiles
from deploys.kit.operations import units as systemd
from deploys.kit.operations.hostfiles import HostDirectory, HostFile, render
from deploys.kit.plan.entry import members
from deploys.kit.quadlet import quadlet
from deploys.kit.run import session
from deploys.kit.run.steps import DIRECTORY as STEPS
from deploys.services.alerts import NTFY, SMTP, WEBHOOK, Alerts
from deploys.services.backup import pgbackrest
from deploys.services.backup import state as backup_state
from deploys.services.leadgen import ADDRESS, api_keys
from deploys.services.nginx import Edge
from deploys.services.platform import updates

if TYPE_CHECKING:
    from deploys.kit.plan.settings import Settings
    from deploys.kit.run.page import Page

USER: Final = "motorcade-alerts"
SETTINGS: Final = "/etc/motorcade/alerts"
# In memory: a full disk must not keep its own alert from being sent.
STATE: Final = "/run/motorcade-alerts-check"  # what is wrong now
SENT: Final = "/run/motorcade-alerts"  # what was sent, and what waits
# On the disk, as what was before a boot says why; the check tries to write it last, and does without.
_SAMPLES_FOLDER: Final = "/var/lib/motorcade-alerts"
SAMPLES: Final = f"{_SAMPLES_FOLDER}/samples"
SAMPLES_KEPT: Final = 1440  # a day of minutes
SAMPLES_BYTES: Final = 400_000  # more than two days; a longer file is cut to the lines above
_TESTED: Final = "/run/motorcade-alerts-test/tested"
CHECK: Final = f"{pgbackrest.PROGRAMS}/alerts-check"
NOTIFY: Final = f"{pgbackrest.PROGRAMS}/alerts-notify"
TIMER: Final = "motorcade-alerts.timer"
SERVICES: Final = ("motorcade-alerts.service", "motorcade-alerts-check.service", "motorcade-alerts-test.service")
HANDLER: Final = "motorcade-alert@.service"  # OnFailure= of every unit of ours
_UNITS: Final = "/etc/systemd/system"
_SEND_SECONDS: Final = 15  # for one message by one channel
_TIMES: Final = {
    "send_seconds": _SEND_SECONDS,
    "drain_seconds": 30,  # after that no further message of a queue is begun: the next minute comes
    "gap_seconds": 50,  # between two messages about changes; a little less than the minute of the timer
    "silent_seconds": 180,  # three checks
    "second_look_seconds": 5,  # a restart of a unit is over by then
}
_KEPT: Final = 20  # messages in the queue of a channel that fails
_LINES: Final = 40  # troubles that a message lists by name under each heading
_PACKAGES: Final = "/var/cache/apt/pkgcache.bin"  # apt writes it when its lists have changed
_DPKG_STATUS: Final = "/var/lib/dpkg/status"
# Nothing that a shell or curl's settings would read as more than a letter.
_URL: Final = r"[\w.~:/?#@!&*+,;=%-]+"
_MAIL: Final = r"[\w.%+-]+@[\w.-]+"
_PATH: Final = r"/[\w./-]+"
_KEY_BYTES: Final = range(24, 65)  # of a webhook's secret, by Standard Webhooks
TEST_SECONDS: Final = 4 * _SEND_SECONDS + 10
CHECKED: Final = f'[ -n "$(find {STATE}/troubles -mmin -3)" ]'
RECEIVED: Final = f"systemctl start motorcade-alerts-test.service || {{ cat {_TESTED}; false; }}"
SENDS_MAIL: Final = (
    "curl --version | grep -q '^Protocols:.* smtp' ||"
    " { echo 'the curl of this host cannot send mail; install its full version'; false; }"
)
# Every unit that runs has the handler; those of the alerts themselves must not.
_HANDLED: Final = (
    "for unit in $(systemctl list-units --all --plain --no-legend --type=service --state=loaded"
    " 'motorcade-*' nginx.service | cut -d ' ' -f 1); do case $unit in motorcade-alert*) continue ;; esac;"
    ' systemctl show -P OnFailure "$unit" | grep -q motorcade-alert@ || { echo "$unit"; exit 1; }; done'
)


def channels(settings: "Settings") -> list[str]:
    """Those that are configured. Raises Refused, at load, with everything that is wrong in one error."""
    own = settings.of(Alerts)
    if faults := list(_faults(own)):
        raise Refused("group_data", ", ".join(faults), "set them there as group_data/all.py shows")
    addresses = {"webhook": own.alerts_webhook_url, "smtp": own.alerts_smtp_url, "ntfy": own.alerts_ntfy_url}
    return [channel for channel, address in addresses.items() if address]


def values(page: "Page") -> dict[str, Any]:
    """What the templates are rendered with; this host's groups decide what is judged."""
    own, edge = page.settings.of(Alerts), page.settings.of(Edge)
    return {
        "page": page.id,
        "state": STATE,
        "sent": SENT,
        "samples": SAMPLES,
        "samples_kept": SAMPLES_KEPT,
        "samples_bytes": SAMPLES_BYTES,
        "settings": SETTINGS,
        "channels": channels(page.settings),
        **{group: group in members(host.groups) for group in ("database", "app", "edge")},
        "intake": ADDRESS,
        "keys": api_keys.FILE,
        "backups": pgbackrest.STATE,
        "ship_seconds": int(backup_state.SHIP_AGE.total_seconds()),
        "backup_seconds": int(backup_state.BACKUP_AGE.total_seconds()),
        "drill_seconds": int(backup_state.DRILL_AGE.total_seconds()),
        "dumps_seconds": int(backup_state.DUMPS_AGE.total_seconds()),
        "edge_host": edge.edge_host,
        "edge_certificate": edge.edge_certificate,
        "edge_key": edge.edge_key,
        "disk_percent_max": page.settings.disk_percent_max,
        "queue_seconds": own.alerts_queue_seconds,
        "expiry_days": own.alerts_expiry_days,
        "expiry_urgent_days": own.alerts_expiry_urgent_days,
        "clock_seconds": own.alerts_clock_seconds,
        "run_minutes": own.alerts_run_minutes,
        "repeat_minutes": own.alerts_repeat_minutes,
        "steps": STEPS,
        "quadlets": quadlet.DIRECTORY,
        "lock": f"{session.DIRECTORY}/lock",
        "packages": _PACKAGES,
        "dpkg_status": _DPKG_STATUS,
        "updates": updates.PROGRAM,
        "due": updates.DUE,
        "webhook_url": own.alerts_webhook_url,
        "smtp_url": own.alerts_smtp_url,
        "smtp_login": secrets.present(page.settings, SMTP),
        "mail_from": own.alerts_mail_from,
        "mail_to": [one.strip() for one in (own.alerts_mail_to or "").split(",")],
        "ntfy_url": own.alerts_ntfy_url,
        "ntfy_token": secrets.present(page.settings, NTFY),
        "dead_man_url": own.alerts_dead_man_url,
        "trust": f'cacert = "{own.alerts_ca_file}"' if own.alerts_ca_file else "",
        "kept": _KEPT,
        "lines": _LINES,
        **_TIMES,
    }


def programs(**of: object) -> list[HostFile]:
    return [HostFile(path, render(f"alerts/{path.rpartition('/')[2]}", **of), "755") for path in (CHECK, NOTIFY)]


def directories(files: Collection[HostFile]) -> list[HostDirectory]:
    """Of the settings and the programs, and of the drop-ins among `files`."""
    folders = {str(PurePosixPath(file.path).parent) for file in files}
    return [
        HostDirectory(SETTINGS, mode="750", group=USER),
        HostDirectory(_SAMPLES_FOLDER),
        HostDirectory(pgbackrest.PROGRAMS.rpartition("/")[0]),
        HostDirectory(pgbackrest.PROGRAMS),
        *(HostDirectory(folder) for folder in sorted(folders) if folder.endswith(".d")),
    ]


def units(**of: Any) -> list[HostFile]:  # noqa: ANN401 - what the templates take
    """The check as root, the messages as a user of their own; both on the timer, which starts the second."""
    main, check, test = SERVICES
    sends = {"user": USER, "seconds": 2 * TEST_SECONDS}
    made = {
        main: {**sends, "description": "send alerts", "exec": NOTIFY, "after": check},
        check: {
            "description": "what is wrong with this host",
            "exec": f"{CHECK} record",
            "seconds": 120,
            "writes": _SAMPLES_FOLDER,
        },
        test: {**sends, "description": "a test alert", "exec": f"{NOTIFY} test"},
    }
    services = [
        HostFile(
            f"{_UNITS}/{name}",
            render(
                "alerts/program.service",
                **{**of, "user": "", "after": "", "writes": "", "runtime": name.removesuffix(".service"), **unit},
            ),
        )
        for name, unit in made.items()
    ]
    others = [HostFile(f"{_UNITS}/{name}", render(f"alerts/{name}", **of)) for name in (TIMER, HANDLER)]
    return [*services, *others]


def drop_ins(**of: Any) -> list[HostFile]:  # noqa: ANN401 - what the templates take
    """OnFailure= for all units of ours and for nginx, and not for those of the alerts."""
    failing = ["motorcade-.service.d", *(["nginx.service.d"] if of["edge"] else [])]
    own = [f"{HANDLER}.d", "motorcade-alerts.service.d", "motorcade-alerts-.service.d"]
    return [
        HostFile(
            f"{_UNITS}/{folder}/50-alert.conf", render("alerts/50-alert.conf", **of, handled=folder in failing)
        )
        for folder in (*failing, *own)
    ]


def place_secrets(page: "Page") -> None:
    """Of the channels that are configured, each in a file of its own; those of others are gone. Raises Refused."""
    used = channels(page.settings)
    given = {
        "webhook": ("webhook.key", {"key": WEBHOOK}, True),
        "smtp": ("smtp.conf", {"login": SMTP}, secrets.present(page.settings, SMTP)),
        "ntfy": ("ntfy.conf", {"token": NTFY}, secrets.present(page.settings, NTFY)),
    }
    for channel, (file, secret_of, wanted) in given.items():
        path = f"{SETTINGS}/{file}"
        if channel in used and wanted:
            if channel == "webhook":
                _require_key(page)
            secrets.place(page, path, USER, f"alerts/{file}", **secret_of)
        else:
            hostfiles.absent(page, path)


def running(page: "Page") -> None:
    """Systemd has read the units and drop-ins, and the timer runs."""
    for unit in SERVICES:
        systemd.loaded(page, unit)
    systemd.read(page, "OnFailure= of all units", _HANDLED)
    systemd.enabled(page, TIMER)
    systemd.running(page, TIMER)


def proved(page: "Page") -> None:
    """The check runs every minute, and every channel has taken a test."""
    gate.wait(page, "the host is checked every minute", CHECKED, seconds=120)
    gate.once(page, "a test alert is received by every channel", RECEIVED, seconds=TEST_SECONDS)


def warn(page: "Page", used: Collection[str]) -> None:
    """At load: a host whose troubles reach no person is on record."""
    if not used:
        why = "no channel for alerts is configured, so no person hears of any trouble"
        logger.warning(f"{host.name}: {page.id}: {why}; set alerts_… in group_data (docs/services/alerts.md)")
        page.run.note(page.id, {"warning": why})


def _require_key(page: "Page") -> None:
    secrets.require(page.settings, [WEBHOOK])
    try:
        key = base64.b64decode(secrets.reveal(page.settings, WEBHOOK).removeprefix("whsec_"), validate=True)
    except binascii.Error:
        key = b""
    if len(key) not in _KEY_BYTES:
        where = str(page.settings.secrets_directory / f"{WEBHOOK}.age")
        why = f"is not base64 of {_KEY_BYTES.start} to {_KEY_BYTES.stop - 1} bytes"
        raise Refused(where, why, "set what `openssl rand -base64 32` prints (python -m deploys.kit.secrets set)")


def _faults(own: Alerts) -> Iterator[str]:
    schemes = {
        "alerts_webhook_url": "https",
        "alerts_smtp_url": "smtps?",
        "alerts_ntfy_url": "https",
        "alerts_dead_man_url": "https",
    }
    for name, scheme in schemes.items():
        url = getattr(own, name)
        if url and not re.fullmatch(f"{scheme}://{_URL}", url, re.ASCII):
            yield f"{name} is {url!r}, not an address that begins with {scheme.replace('?', ' or smtp')}://"
    if own.alerts_smtp_url:
        for name in ("alerts_mail_from", "alerts_mail_to"):
            found = (getattr(own, name) or "").split(",")
            if not all(re.fullmatch(_MAIL, one.strip(), re.ASCII) for one in found):
                yield f"{name} is {getattr(own, name)!r}, not the mail address that alerts_smtp_url needs"
    if own.alerts_ca_file and not re.fullmatch(_PATH, own.alerts_ca_file, re.ASCII):
        yield f"alerts_ca_file is {own.alerts_ca_file!r}, not a path on the host"
