"""Programs from the distribution, in exactly the pinned version: by apt, or by dnf without apt."""

from collections.abc import Generator
from shlex import quote
from typing import TYPE_CHECKING, Final

from pyinfra.api.command import StringCommand
from pyinfra.api.operation import operation
from pyinfra.context import host

from deploys.kit.facts import Probe
from deploys.kit.shell import SPARE_SECONDS, bounded

if TYPE_CHECKING:
    from deploys.kit.run.page import Page

INSTALL_SECONDS: Final = 600


def service(page: "Page", program: str, version: str, *, probe: str, beside: str = "") -> None:
    """A program whose package has a unit of the same name; it is not started. `probe` checks the version.

    `beside` names packages that it needs, in whatever version.
    """
    page.uses(f"package {program}", version)
    _service(
        page=page,
        program=program,
        version=version,
        probe=probe,
        beside=beside,
        **page.op(f"{program} {version}", INSTALL_SECONDS + SPARE_SECONDS),
    )


def program(page: "Page", program: str, version: str, *, probe: str) -> None:
    """A program without a unit of its own. `probe` checks the version."""
    page.uses(f"package {program}", version)
    _program(
        page=page,
        program=program,
        version=version,
        probe=probe,
        **page.op(f"{program} {version}", INSTALL_SECONDS + SPARE_SECONDS),
    )


def any_version(page: "Page", program: str, *, probe: str) -> None:
    """A program of the distribution in the version that it has; kept as it is once `probe` finds it."""
    page.uses(f"package {program}", "any")
    _program(
        page=page,
        program=program,
        version="",
        probe=probe,
        **page.op(program, INSTALL_SECONDS + SPARE_SECONDS),
    )


def install(program: str, version: str, beside: str = "") -> str:
    """Shell. The pin is the upstream version; the distribution's revisions only add fixes."""
    apt_name = quote(f"{program}={version}*") if version else program
    dnf_name = quote(f"{program}-{version}*") if version else program
    apt = (
        "export DEBIAN_FRONTEND=noninteractive; apt-get update --quiet=2; apt-get install --quiet=2 --yes"
        " --no-install-recommends --allow-downgrades -o DPkg::Lock::Timeout=60 -o Dpkg::Options::=--force-confold"
        f" {apt_name} {beside}"
    )
    weak = "--setopt=install_weak_deps=False"
    dnf = f"dnf --quiet --assumeyes {weak} install {dnf_name} {beside}"
    return f"if command -v apt-get >/dev/null; then {apt}; else {dnf}; fi"


@operation()
def _program(page: "Page", program: str, version: str, probe: str) -> Generator[StringCommand]:
    if host.get_fact(Probe, probe).green:
        host.noop(f"{page.id}: {program} {version} is installed")
        return
    page.may_change(f"{program} {version}".rstrip())
    yield bounded(install(program, version), INSTALL_SECONDS)


@operation()
def _service(page: "Page", program: str, version: str, probe: str, beside: str) -> Generator[StringCommand]:
    unit = f"{program}.service"
    # A run that was killed may have left the mask.
    if host.get_fact(Probe, f'{probe} && [ "$(systemctl show -P LoadState {unit})" = loaded ]').green:
        host.noop(f"{page.id}: {program} {version} is installed")
        return
    page.may_change(f"{program} {version}")
    # Debian starts a service when it installs it, with a configuration that is not ours.
    mask = f"systemctl --quiet mask --runtime {unit}; trap 'systemctl --quiet unmask --runtime {unit}' EXIT"
    yield bounded(f"{mask}; {install(program, version, beside)}", INSTALL_SECONDS)
