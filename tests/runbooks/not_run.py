"""Commands of pages that no test runs on a lab host, each with its reason."""

from typing import Final

from tests.runbooks.pages import Command

# Page -> command, whole -> why it is not run.
NOT_RUN: Final = {
    "docs/runbooks/add-a-host.md": {
        "ssh-keygen -lf /etc/ssh/ssh_host_ed25519_key.pub": "at the host's console, before it can be reached",
    },
    "docs/runbooks/alerts.md": {
        "sudo journalctl -u": "the alert names the unit",
        "sudo systemctl unmask": "the alert names the unit",
        "sudo timedatectl set-ntp true": "a lab host has the clock of the machine that carries it",
    },
    "docs/runbooks/deploy.md": {
        "make tools": "installs into .venv, from which the tests run; tests/requirements installs the lock",
    },
    "docs/runbooks/drift.md": {
        "systemctl --user enable --now motorcade-drift.timer": "a timer of the operator's own machine",
        "loginctl enable-linger": "the same",
        "systemctl --user --failed": "the same",
    },
    "docs/runbooks/incident-first-steps.md": {
        "sudo podman exec motorcade-leadgen-sweeper leadgen jobs replay": "roll-back.md has it with its arguments",
    },
    "docs/runbooks/release.md": {
        "make test": "it runs these tests",
        "make release NAME=prod-2": "refuses a lab's manifest; tests/deploys/history keeps releases",
        'git add releases/history && git commit -m "Release prod-2"': "the same",
    },
}


def reason(command: Command) -> str:
    """Why it is not run; empty for one that is."""
    return NOT_RUN.get(command.page, {}).get(command.text, "")
