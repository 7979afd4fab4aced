"""Secrets on their way to a host: from the age file through standard input into Podman, and nowhere else.

Podman keeps the sha256 of the age file as a label, so that a run can compare without decrypting anything.
"""

from collections.abc import Generator, Iterator, Sequence
from typing import TYPE_CHECKING, Final

from pyinfra.api.command import QuoteString, StringCommand
from pyinfra.api.facts import FactBase
from pyinfra.api.operation import operation
from pyinfra.context import host
from typing_extensions import override

from deploys.kit.errors import Refused
from deploys.kit.facts import digest
from deploys.kit.secrets import keys
from deploys.kit.secrets.vault import Vault

if TYPE_CHECKING:
    from deploys.kit.plan.settings import Settings
    from deploys.kit.run.page import Page

LABEL: Final = "cipher"
_LOOK_SECONDS: Final = 20
_CREATE_SECONDS: Final = 60


class Delivered(FactBase[dict[str, str]]):
    """Name in Podman -> sha256 of its age file, empty for a secret from elsewhere.

    Missing secrets are left out; without Podman the result is empty.
    """

    default = dict

    @override
    def command(self, names: Sequence[str]) -> StringCommand:
        form = QuoteString(f'{{{{.Spec.Name}}}} {{{{index .Spec.Labels "{LABEL}"}}}}')
        inspect = StringCommand(
            f"timeout {_LOOK_SECONDS} podman secret inspect --format", form, *map(QuoteString, names)
        )
        return StringCommand(inspect, "2>/dev/null || true")

    @override
    def process(self, output: list[str]) -> dict[str, str]:
        return {name: label for name, _, label in (line.partition(" ") for line in output)}


class Hidden:
    """A value for standard input that no repr, JSON or log of a command shows."""

    def __init__(self, value: str) -> None:
        self._value = value

    def readlines(self) -> list[str]:
        """Called by pyinfra, once per attempt."""
        return [self._value]

    def __iter__(self) -> Iterator[str]:
        return iter(self.readlines())


def fingerprint(settings: "Settings", name: str) -> str:
    """Sha256 of the age file, by which users of the secret detect a new one. Raises Refused."""
    return digest(Vault(settings.secrets_directory, settings.age_identity).ciphertext(name))


def reveal(settings: "Settings", name: str) -> str:
    """One value, to be turned at once into something that may be kept, such as a verifier. Raises Refused."""
    return _vault(settings).reveal(name)


def recipients(settings: "Settings") -> list[str]:
    """The operators' public keys, for programs that encrypt to them on a host. Raises Refused."""
    return keys.recipient_lines(_vault(settings).recipients)


def present(settings: "Settings", name: str) -> bool:
    """Whether an optional secret is in the vault, usable or not."""
    return name in _vault(settings).needed()


def require(settings: "Settings", names: Sequence[str]) -> None:
    """At load: all of them are usable. Raises Refused, listing every one that is not."""
    faults = _vault(settings).faults(names)
    if len(faults) == 1:
        raise faults[0]
    if faults:
        listed = "".join(f"\n  {fault}" for fault in faults)
        raise Refused(str(settings.secrets_directory), f"{listed}\n", "fix each line above")


def deliver(page: "Page", names: Sequence[str]) -> None:
    """Each secret is on the host as `motorcade-<name>`, with its value from the vault."""
    require(page.settings, names)
    vault = _vault(page.settings)
    for name in names:
        page.uses(f"secret {name}", vault.ciphertext(name))
    _deliver(page=page, vault=vault, names=list(names), **page.op("secrets", _CREATE_SECONDS))


@operation()
def _deliver(page: "Page", vault: Vault, names: list[str]) -> Generator[StringCommand]:
    known = host.get_fact(Delivered, names=[name_on_host(name) for name in names])
    wanted = {name: vault.ciphertext(name) for name in names}
    changed = [name for name in names if known.get(name_on_host(name)) != digest(wanted[name])]
    if not changed:
        host.noop(f"{page.id}: secrets are delivered")
        return
    page.may_change(", ".join(f"secret {name_on_host(name)}" for name in changed))
    for name in changed:
        yield create_command(name, digest(wanted[name]), vault.decrypt(name, wanted[name]))


def name_on_host(name: str) -> str:
    return f"motorcade-{name}"


def create_command(name: str, cipher: str, value: str) -> StringCommand:
    """Puts one secret into Podman, replacing an older one.

    The line break that pyinfra appends proves that all arrived: without it `read` fails and nothing is created.
    `printf` is built into the shell, so the value appears in no process list.
    """
    secret = name_on_host(name)
    script = (
        f"IFS= read -r value || {{ echo '{secret}: cut off in transit; run the page again' >&2; exit 1; }};"
        f' printf %s "$value" | podman secret create --replace --label {LABEL}={cipher} {secret} - >/dev/null'
    )
    return StringCommand("sh -c", QuoteString(script), _stdin=Hidden(value))


def _vault(settings: "Settings") -> Vault:
    return Vault(settings.secrets_directory, settings.age_identity)
