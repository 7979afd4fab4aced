"""Secrets reach Podman to the byte, once, and show up nowhere on their way."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pyrage
import pytest
from hypothesis import HealthCheck, assume, example, given, settings
from hypothesis import strategies as st
from pyinfra.api.command import StringCommand
from pyinfra.api.facts import FactBase
from pyinfra.connectors.util import run_local_process
from pyinfra.context import ctx_host

from deploys.kit import secrets
from deploys.kit.errors import Refused
from deploys.kit.facts import digest
from deploys.kit.secrets import Vault, delivery, value

# What the kit asks of podman, on a folder: FOLDER/<secret> and FOLDER/<secret>.cipher. It also looks around.
PODMAN = """#!/bin/sh
[ ! "$PODMAN_LOOKS" ] || for process in /proc/[0-9]*; do
    tr '\\0' ' ' <"$process/cmdline"; tr '\\0' ' ' <"$process/environ"; echo
done >>"$PODMAN_FOLDER/.processes" 2>/dev/null
if [ "$2" = inspect ]; then
    shift 4
    for secret; do
        if [ -e "$PODMAN_FOLDER/$secret" ]; then echo "$secret $(cat "$PODMAN_FOLDER/$secret.cipher")"
        else echo "no secret with name or id $secret" >&2; missing=yes; fi
    done
    [ ! "$missing" ]
else
    [ "$3 $4 $7" = "--replace --label -" ] || exit 125
    cat >"$PODMAN_FOLDER/$6" && [ -s "$PODMAN_FOLDER/$6" ] || exit 125
    echo "${5#cipher=}" >"$PODMAN_FOLDER/$6.cipher"
    echo 0123456789abcdef
fi
"""
MANIFEST = "# days\n"
PAGE = """\
from types import SimpleNamespace
from pathlib import Path
from deploys.kit import secrets
from deploys.kit.plan import services
from tests.deploys.kit.secrets.conftest import DECLARED
services.secrets = lambda: {{secret.name: secret for secret in DECLARED}}
page = SimpleNamespace(
    id="PLAT_99",
    settings=SimpleNamespace(secrets_directory=Path({directory!r}), age_identity=Path({identity!r})),
    uses=lambda label, content: None,
    may_change=lambda what: None,
    op=lambda title, seconds: {{"name": f"PLAT_99 | {{title}}", "_timeout": seconds}},
)
secrets.deliver(page, ["redis", "api-key"])
"""
PRINTABLE = st.characters(exclude_categories=["C", "Z"], include_characters=" ")
GOOD = "Kx83hdkw9Lq2mZx8-grö'ßer \"$HOME\\n%s`-jdL0w9"


@dataclass
class Settings:
    secrets_directory: Path
    age_identity: Path | None


@dataclass
class Page:
    """What delivery uses of a page."""

    settings: Settings
    locked: bool = False
    used: dict[str, bytes] = field(default_factory=dict)
    id: str = "PLAT_99"

    def uses(self, label: str, content: bytes) -> None:
        self.used[label] = content

    def may_change(self, what: str) -> None:
        if self.locked:
            raise PermissionError(what)

    def op(self, title: str, seconds: int) -> dict[str, Any]:
        return {"name": f"{self.id} | {title}", "_timeout": seconds}


class LocalHost:
    """This machine in a host's place."""

    def __init__(self) -> None:
        self.facts: list[str] = []
        self.noops: list[str] = []

    def get_fact(self, fact: type[FactBase[Any]], **values: object) -> object:
        command = fact().command(**values)
        assert isinstance(command, StringCommand)
        self.facts.append(command.get_raw_value())
        done = subprocess.run(["sh", "-c", self.facts[-1]], text=True, capture_output=True, check=True)
        assert done.stderr == ""
        return fact().process(done.stdout.splitlines())

    def noop(self, why: str) -> None:
        self.noops.append(why)


@pytest.fixture
def host() -> Iterator[LocalHost]:
    found = LocalHost()
    with ctx_host.use(found):
        yield found


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Where the stand-in for podman, first on the path, keeps its secrets."""
    programs, folder = tmp_path_factory.mktemp("programs"), tmp_path_factory.mktemp("podman")
    (programs / "podman").write_text(PODMAN)
    (programs / "podman").chmod(0o755)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PATH", str(programs), prepend=os.pathsep)
        patch.setenv("PODMAN_FOLDER", str(folder))
        yield folder


@pytest.fixture(autouse=True)
def _empty(folder: Path) -> None:
    for file in folder.iterdir():
        file.unlink()


@pytest.fixture
def page(tmp_path: Path) -> Page:
    """Of a vault that holds redis and api-key."""
    key = pyrage.x25519.Identity.generate()
    (tmp_path / "manifest.yaml").write_text(MANIFEST)
    made = secrets.generate_all(tmp_path / "secrets", tmp_path / "manifest.yaml", [str(key.to_public())])
    made.store("redis", GOOD)
    identity = tmp_path / "identity.txt"
    identity.write_text(f"{key}\n")
    identity.chmod(0o600)
    return Page(Settings(made.directory, identity))


def vault(page: Page) -> Vault:
    return Vault(page.settings.secrets_directory, page.settings.age_identity)


def deliver(page: Page, *names: str) -> list[StringCommand]:
    given: Any = page
    return list(delivery._deliver._inner(given, vault(page), list(names)))  # noqa: SLF001 - the generator is under test


def run(command: StringCommand) -> tuple[int, str]:
    """As pyinfra runs a command on this machine."""
    status, output = run_local_process(command.get_raw_value(), command.connector_arguments.get("_stdin"))
    return status, output.output


def test_both_secrets_arrive_to_the_byte_and_labelled(page: Page, folder: Path, host: LocalHost) -> None:
    commands = deliver(page, "redis", "api-key")
    assert [run(command) for command in commands] == [(0, ""), (0, "")]
    assert (folder / "motorcade-redis").read_bytes() == GOOD.encode()
    assert (folder / "motorcade-redis.cipher").read_text() == f"{digest(vault(page).ciphertext('redis'))}\n"
    assert (folder / "motorcade-api-key").read_text() == vault(page).reveal("api-key")
    assert host.noops == []


def test_a_second_run_has_nothing_to_do_and_asks_once(page: Page, host: LocalHost) -> None:
    for command in deliver(page, "redis", "api-key"):
        run(command)
    host.facts.clear()
    assert deliver(page, "redis", "api-key") == []
    assert host.noops == ["PLAT_99: secrets are delivered"]
    assert len(host.facts) == 1


def test_what_is_there_already_is_seen_without_opening_it(page: Page, host: LocalHost) -> None:
    for command in deliver(page, "redis"):
        run(command)
    page.settings.age_identity = None
    assert deliver(page, "redis") == []
    assert len(host.noops) == 1


def test_only_the_rotated_secret_is_sent(page: Page, folder: Path, host: LocalHost) -> None:
    for command in deliver(page, "redis", "api-key"):
        run(command)
    vault(page).store("redis", GOOD[::-1])
    (command,) = deliver(page, "redis", "api-key")
    assert run(command) == (0, "")
    assert (folder / "motorcade-redis").read_text() == GOOD[::-1]
    assert deliver(page, "redis", "api-key") == []
    assert len(host.noops) == 1


@pytest.mark.parametrize("label", ["", "<no value>", "0" * 64])
def test_a_secret_of_the_same_name_from_elsewhere_is_replaced(
    page: Page, folder: Path, host: LocalHost, label: str
) -> None:
    (folder / "motorcade-redis").write_text("another's")
    (folder / "motorcade-redis.cipher").write_text(label)
    (command,) = deliver(page, "redis")
    run(command)
    assert (folder / "motorcade-redis").read_text() == GOOD
    assert host.noops == []


def test_a_host_without_podman_has_no_secret(page: Page, host: LocalHost, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/usr/bin:/bin")
    if shutil.which("podman"):
        pytest.skip("this machine has a podman of its own")
    assert len(deliver(page, "redis", "api-key")) == 2
    assert len(host.facts) == 1


def test_a_locked_page_sends_nothing_but_may_look(page: Page, host: LocalHost) -> None:
    page.locked = True
    with pytest.raises(PermissionError, match=r"^secret motorcade-redis, secret motorcade-api-key$"):
        deliver(page, "redis", "api-key")
    page.locked = False
    for command in deliver(page, "redis"):
        run(command)
    page.locked = True
    assert deliver(page, "redis") == []
    assert len(host.noops) == 1


@pytest.mark.parametrize("arrived", ["", "Kx83", GOOD])
def test_a_value_that_was_cut_off_on_its_way_is_not_kept(folder: Path, arrived: str) -> None:
    command = delivery.create_command("redis", "0" * 64, GOOD).get_raw_value()
    done = subprocess.run(["sh", "-c", command], input=arrived, text=True, capture_output=True, check=False)
    assert done.returncode != 0
    assert done.stderr == "motorcade-redis: cut off in transit; run the page again\n"
    assert list(folder.iterdir()) == []


def test_a_podman_that_fails_fails_the_operation(folder: Path) -> None:
    (folder / "motorcade-redis").mkdir()
    try:
        assert run(delivery.create_command("redis", "0" * 64, GOOD))[0] == 125
    finally:
        (folder / "motorcade-redis").rmdir()


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.text(PRINTABLE, min_size=24, max_size=200))
@example(" leading and trailing blanks  ")
@example("-n -e \\c \\0 \\x41 %s %% $(id) `id` ${HOME} ! # ~ * ?")
@example("".join(chr(code) for code in range(0x80, 0x800) if chr(code).isprintable()))
@example("K" + "x8" * 5000)
def test_any_printable_value_survives_to_the_byte(page: Page, folder: Path, text: str) -> None:
    assume(not value.fault(text, 24))
    store = vault(page)
    store.store("redis", text)
    assert run(delivery.create_command("redis", "0" * 64, store.reveal("redis"))) == (0, "")
    assert (folder / "motorcade-redis").read_bytes() == text.encode()


def test_a_command_shows_no_value_in_any_form() -> None:
    command = delivery.create_command("redis", "0" * 64, "the-value-itself")
    arguments = command.connector_arguments
    shown = [
        repr(command),
        str(command),
        command.get_raw_value(),
        repr(arguments),
        json.dumps(arguments, default=repr),
    ]
    assert [text for text in shown if "the-value-itself" in text] == []
    assert list(arguments["_stdin"] or "") == ["the-value-itself"]


def test_a_retried_command_gets_its_value_again(folder: Path) -> None:
    command = delivery.create_command("redis", "0" * 64, GOOD)
    for _ in range(2):
        assert run(command) == (0, "")
        assert (folder / "motorcade-redis").read_text() == GOOD
        (folder / "motorcade-redis").unlink()


@pytest.fixture
def pyinfra(page: Page, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., tuple[int, str]]:
    """Runs pyinfra with flags on this machine, which delivers both secrets; its status and all it printed."""
    deploy = tmp_path / "plat_99.py"
    values = {"directory": str(page.settings.secrets_directory), "identity": str(page.settings.age_identity)}
    deploy.write_text(PAGE.format(**values))
    monkeypatch.setenv("PYTHONPATH", str(Path.cwd()))
    monkeypatch.setenv("PODMAN_LOOKS", "yes")
    program = [sys.executable, "-c", "from pyinfra_cli.main import main; main()", "@local", str(deploy)]

    def run(*flags: str) -> tuple[int, str]:
        # From outside the project, whose settings would ask for sudo.
        done = subprocess.run(
            [*program, *flags], cwd=tmp_path, capture_output=True, text=True, check=False, timeout=60
        )
        return done.returncode, done.stdout + done.stderr

    return run


def pieces(page: Page) -> Iterator[str]:
    """By which the values would be recognised, whole or cut."""
    for name in ("redis", "api-key"):
        found = vault(page).reveal(name)
        yield from (found, found[:12], found[-12:])


@pytest.mark.parametrize("flags", [["-vvv", "--diff", "--debug"], ["-vvv", "--json"]])
def test_a_run_shows_no_value_on_screen_or_in_a_list_of_processes(
    page: Page, folder: Path, pyinfra: Callable[..., tuple[int, str]], flags: list[str]
) -> None:
    status, shown = pyinfra("-y", *flags)
    processes = (folder / ".processes").read_text(errors="replace")
    assert (status, (folder / "motorcade-redis").read_text()) == (0, GOOD)
    # What is searched really is the command, as it was run.
    for text in (shown, processes):
        assert f"--label cipher={digest(vault(page).ciphertext('redis'))} motorcade-redis -" in text
        assert [piece for piece in pieces(page) if piece in text] == []


@pytest.mark.parametrize("flags", [["--dry", "-vvv", "--diff"], ["-y", "--debug-operations"]])
def test_a_look_ahead_shows_no_value_and_sends_none(
    page: Page, folder: Path, pyinfra: Callable[..., tuple[int, str]], flags: list[str]
) -> None:
    status, shown = pyinfra(*flags)
    assert (status, "PLAT_99 | secrets" in shown) == (0, True)
    assert not (folder / "motorcade-redis").exists()
    assert [piece for piece in pieces(page) if piece in shown] == []


def test_a_run_that_fails_shows_no_value(
    page: Page, folder: Path, pyinfra: Callable[..., tuple[int, str]]
) -> None:
    (folder / "motorcade-redis").mkdir()
    try:
        status, shown = pyinfra("-y", "-vvv", "--debug")
    finally:
        (folder / "motorcade-redis").rmdir()
    assert status != 0
    assert "motorcade-redis" in shown
    assert [piece for piece in pieces(page) if piece in shown] == []


def test_the_page_is_refused_at_load_with_every_secret_that_cannot_be_used(page: Page) -> None:
    store = vault(page)
    store.file("api-key").unlink()
    given: Any = page
    with pytest.raises(Refused) as one:
        secrets.deliver(given, ["redis", "api-key"])
    assert str(one.value).startswith(f"{store.file('api-key')}: no such file; generate it")
    store.file("redis").write_bytes(pyrage.encrypt(b"changeme", store.readers(), armored=True))
    with pytest.raises(Refused) as both:
        secrets.deliver(given, ["redis", "api-key"])
    first, *faults, last = str(both.value).splitlines()
    assert first == f"{store.directory}: "
    assert [fault.partition(";")[0] for fault in faults] == [
        f"  {store.file('redis')}: is a placeholder",
        f"  {store.file('api-key')}: no such file",
    ]
    assert last == "; fix each line above"
    assert page.used == {}


@pytest.mark.parametrize("environment", ["prod", "staging"])
def test_where_nobody_has_given_keys_yet_a_page_is_refused_with_the_list(
    environment: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.undo()  # to the secrets that the services declare
    directory = Path("group_data/secrets") / environment
    if any(directory.glob("*.age")):
        pytest.skip(f"{environment} has secrets by now")
    names = [f"postgres-{role}" for role in ("owner", "api", "app", "ro")]
    given: Any = Settings(directory, None)
    with pytest.raises(Refused) as error:
        secrets.require(given, names)
    assert [line.partition(":")[0] for line in str(error.value).splitlines()[1:-1]] == [
        f"  {directory}/{name}.age" for name in names
    ]


def test_a_secret_may_be_revealed_to_be_turned_into_something_else(page: Page) -> None:
    given: Any = page.settings
    assert secrets.reveal(given, "redis") == GOOD
    with pytest.raises(Refused, match="no service declares a secret 'absent'"):
        secrets.reveal(given, "absent")
