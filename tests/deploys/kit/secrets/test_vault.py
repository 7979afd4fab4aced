"""A vault gives out a secret only when everything about it is right, and shows none of it otherwise."""

import os
import stat
import subprocess
from datetime import UTC, datetime
from pathlib import Path

import pyrage
import pytest

from deploys.kit.errors import Refused
from deploys.kit.secrets import Vault, generate_all, keys, vault

MANIFEST = "# days\napi-key: 2026-01-31\n"
GOOD = "Kx83hdkw9Lq2mZx8-größer-jdL0w9"
REPLACE = "replace it (python -m deploys.kit.secrets rotate, or set)"


@pytest.fixture(autouse=True)
def _no_identity_of_the_operator(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("MOTORCADE_AGE_IDENTITY", raising=False)


@pytest.fixture
def store(tmp_path: Path) -> Vault:
    """With one reader and no secret yet."""
    key = pyrage.x25519.Identity.generate()
    directory = tmp_path / "secrets"
    directory.mkdir()
    (directory / "manifest.yaml").write_text(MANIFEST)
    (directory / "recipients.txt").write_text(f"# the operator\n\n  {key.to_public()}\n")
    return Vault(directory, identity(tmp_path / "identity.txt", f"# created: today\n{key}\n"))


def identity(path: Path, content: str, mode: int = 0o600) -> Path:
    path.write_text(content)
    path.chmod(mode)
    return path


def put(store: Vault, name: str, content: bytes) -> None:
    """Past every check of `store`, as a careless hand would."""
    store.file(name).write_bytes(pyrage.encrypt(content, store.readers(), armored=True))


def refusal(store: Vault, name: str = "redis") -> str:
    with pytest.raises(Refused) as error:
        store.reveal(name)
    assert error.value.__context__ is None or GOOD not in repr(vars(error.value.__context__))
    return str(error.value)


def test_what_was_stored_is_revealed(store: Vault) -> None:
    store.store("redis", GOOD)
    assert store.reveal("redis") == GOOD
    assert store.faults(["redis"]) == []


def test_what_lies_on_the_disk_is_an_armoured_age_file_without_the_value(store: Vault, tmp_path: Path) -> None:
    store.store("redis", GOOD)
    assert store.file("redis").read_text().startswith("-----BEGIN AGE ENCRYPTED FILE-----\n")
    for file in tmp_path.rglob("*"):
        assert file.is_dir() or GOOD.encode() not in file.read_bytes()


def test_a_name_that_the_manifest_does_not_know_is_refused_first(store: Vault) -> None:
    put(store, "stray", GOOD.encode())
    assert refusal(Vault(store.directory), "stray") == (
        f"{store.directory}: no service declares a secret 'stray'; correct the name (redis, api-key), or the"
        " declaration in deploys/services"
    )
    assert "no service declares a secret '../identity'" in refusal(store, "../identity")


def test_an_absent_file_is_refused_before_a_key_is_asked_for(store: Vault) -> None:
    assert refusal(Vault(store.directory)) == (
        f"{store.file('redis')}: no such file; generate it (python -m deploys.kit.secrets rotate)"
        " or enter it (python -m deploys.kit.secrets set)"
    )


def test_a_file_that_cannot_be_read_is_refused(store: Vault) -> None:
    store.file("redis").mkdir()
    assert refusal(store) == f"{store.file('redis')}: cannot be read (Is a directory); restore it"


def test_without_an_identity_nothing_is_opened(store: Vault) -> None:
    put(store, "redis", b"")
    assert refusal(Vault(store.directory)) == (
        "MOTORCADE_AGE_IDENTITY: no age identity is configured;"
        " set it to the path of the file with your private key"
    )


def test_the_environment_names_the_identity_unless_a_setting_does(
    store: Vault, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store.store("redis", GOOD)
    monkeypatch.setenv("MOTORCADE_AGE_IDENTITY", str(store.identity))
    assert Vault(store.directory).reveal("redis") == GOOD
    monkeypatch.setenv("MOTORCADE_AGE_IDENTITY", str(tmp_path / "absent"))
    assert store.reveal("redis") == GOOD
    assert refusal(Vault(store.directory)).startswith(
        f"{tmp_path}/absent: cannot be read (No such file or directory); name a file made by `age-keygen`"
    )


@pytest.mark.parametrize("mode", [0o644, 0o640, 0o604, 0o660, 0o700, 0o500, 0o200, 0o4600])
def test_an_identity_that_others_may_touch_is_refused(store: Vault, mode: int) -> None:
    put(store, "redis", GOOD.encode())
    assert store.identity
    store.identity.chmod(mode)
    # Root may read whatever the mode; anybody else already fails at reading a file of mode 0200.
    if mode != 0o200 or os.geteuid() == 0:
        assert refusal(store) == (
            f"{store.identity}: mode {mode:04o} is not 0600 or 0400; chmod 600 {store.identity}"
        )


def test_an_identity_of_mode_0400_is_good_too(store: Vault) -> None:
    store.store("redis", GOOD)
    assert store.identity
    store.identity.chmod(0o400)
    assert store.reveal("redis") == GOOD


def test_an_identity_of_another_user_is_refused(store: Vault, monkeypatch: pytest.MonkeyPatch) -> None:
    put(store, "redis", GOOD.encode())
    me = os.geteuid()
    monkeypatch.setattr(os, "geteuid", lambda: me + 1)
    assert refusal(store) == (
        f"{store.identity}: belongs to user {me} and you are {me + 1}; use an identity of your own"
    )


@pytest.mark.parametrize(
    ("content", "fault"),
    [
        ("", "contains no identity"),
        ("# AGE-SECRET-KEY-1\n", "contains no identity"),
        ("AGE-SECRET-KEY-1XYZ\n", "is not a usable age identity (invalid Bech32 encoding)"),
        ("größer\n", "is not a usable age identity (invalid Bech32 encoding)"),
    ],
)
def test_a_file_that_holds_no_identity_is_refused(store: Vault, content: str, fault: str) -> None:
    put(store, "redis", GOOD.encode())
    assert store.identity
    store.identity.write_text(content)
    assert refusal(store).startswith(f"{store.identity}: {fault}; name a file made by `age-keygen`")


def test_an_identity_that_is_no_file_is_refused(store: Vault) -> None:
    put(store, "redis", GOOD.encode())
    assert "/dev/null: is not a file; name a file" in refusal(Vault(store.directory, Path("/dev/null")))


def test_a_wrong_identity_opens_nothing(store: Vault, tmp_path: Path) -> None:
    store.store("redis", GOOD)
    wrong = identity(tmp_path / "wrong.txt", f"{pyrage.x25519.Identity.generate()}\n")
    assert refusal(Vault(store.directory, wrong)) == (
        f"{store.file('redis')}: cannot be decrypted with {wrong} (No matching keys found);"
        f" if you should have access, ask an operator who has it to rotate it for {store.recipients}"
    )


@pytest.mark.parametrize("kept", [0, 40, 150, -50, -5])
def test_a_damaged_file_opens_nothing(store: Vault, kept: int) -> None:
    store.store("redis", GOOD)
    content = store.file("redis").read_bytes()
    store.file("redis").write_bytes(content[:kept])
    assert refusal(store).startswith(f"{store.file('redis')}: cannot be decrypted with {store.identity} (")


def test_a_changed_byte_opens_nothing(store: Vault) -> None:
    key = store.readers()
    content = bytearray(pyrage.encrypt(GOOD.encode(), key))
    content[-1] ^= 1
    store.file("redis").write_bytes(content)
    assert "cannot be decrypted" in refusal(store)


@pytest.mark.parametrize(
    ("content", "fault"),
    [
        (GOOD.encode("latin-1"), "is not UTF-8"),
        (f"{GOOD}\n".encode(), "contains a line break or another unprintable character"),
        (f"{GOOD}\0".encode(), "contains a line break or another unprintable character"),
        (b"", "is empty"),
        (b"CHANGE_ME", "is a placeholder"),
        (b"Kx83hdkw9Lq2mZx8", "has 16 characters; the minimum is 24"),
    ],
)
def test_a_value_that_no_service_may_trust_is_refused(store: Vault, content: bytes, fault: str) -> None:
    put(store, "redis", content)
    assert refusal(store) == f"{store.file('redis')}: {fault}; {REPLACE}"


def test_each_secret_has_its_own_least_length(store: Vault) -> None:
    put(store, "api-key", b"Kx83hdkw9Lq2mZx8")
    assert store.reveal("api-key") == "Kx83hdkw9Lq2mZx8"


def test_a_bad_value_is_refused_before_anything_is_written(store: Vault) -> None:
    store.store("redis", GOOD)
    before = {file: file.read_bytes() for file in store.directory.iterdir()}
    for bad in ("", "changeme", "short", f"{GOOD}\n"):
        with pytest.raises(Refused, match=r"^the new redis: .*; give another value; nothing was changed$"):
            store.store("redis", bad)
    assert {file: file.read_bytes() for file in store.directory.iterdir()} == before


def test_storing_notes_the_day_and_leaves_the_other_secrets_alone(store: Vault) -> None:
    today = datetime.now(UTC).date().isoformat()
    store.store("redis", GOOD)
    assert store.rule("redis").rotated_on == today
    assert store.manifest.read_text() == f"{MANIFEST}redis: {today}\n"
    assert {file.name for file in store.directory.iterdir()} == {"manifest.yaml", "recipients.txt", "redis.age"}
    assert {stat.S_IMODE(store.file("redis").stat().st_mode)} == {0o644}


def test_a_second_value_replaces_the_first(store: Vault) -> None:
    store.store("redis", GOOD)
    first = store.ciphertext("redis")
    store.store("redis", GOOD[::-1])
    assert store.reveal("redis") == GOOD[::-1]
    assert store.ciphertext("redis") != first


def test_a_crash_while_writing_leaves_the_old_secret_whole(store: Vault, monkeypatch: pytest.MonkeyPatch) -> None:
    store.store("redis", GOOD)
    before = {file: file.read_bytes() for file in store.directory.iterdir()}

    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space left"):
        store.store("redis", GOOD[::-1])
    assert {file: file.read_bytes() for file in store.directory.iterdir()} == before


@pytest.mark.parametrize("content", ["", "# nobody yet\n"])
def test_nothing_is_written_for_nobody(store: Vault, content: str) -> None:
    store.recipients.write_text(content)
    with pytest.raises(Refused) as error:
        store.store("redis", GOOD)
    assert str(error.value) == (
        f"{store.recipients}: lists no recipient;"
        " write each operator's age or ssh-ed25519 public key there, one a line"
    )
    assert not store.file("redis").exists()


def test_absent_recipients_are_refused(store: Vault) -> None:
    store.recipients.unlink()
    with pytest.raises(
        Refused, match=r"recipients\.txt: cannot be read \(No such file or directory\); write each"
    ):
        store.store("redis", GOOD)


@pytest.mark.parametrize("line", ["age1abc", "ssh-ed25519 AAAA", "ssh-rsa AAAAB3NzaC1yc2E", "AGE-SECRET-KEY-1XYZ"])
def test_a_recipient_that_is_no_public_key_is_refused_by_line_and_not_quoted(store: Vault, line: str) -> None:
    with store.recipients.open("a") as file:
        file.write(f"{line}\n")
    with pytest.raises(Refused) as error:
        store.store("redis", GOOD)
    assert str(error.value) == (
        f"{store.recipients}:4: is not an age or ssh-ed25519 public key; correct or remove the line"
    )


def test_every_recipient_can_read_and_an_ssh_key_is_as_good_as_an_age_key(store: Vault, tmp_path: Path) -> None:
    key = tmp_path / "id_ed25519"
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "an operator", "-f", key], check=True)
    with store.recipients.open("a") as file:
        file.write(key.with_suffix(".pub").read_text())
    store.store("redis", GOOD)
    assert store.reveal("redis") == GOOD
    assert Vault(store.directory, key).reveal("redis") == GOOD


def test_an_ssh_key_with_a_passphrase_is_refused(store: Vault, tmp_path: Path) -> None:
    key = tmp_path / "id_ed25519"
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "a passphrase", "-f", key], check=True)
    put(store, "redis", GOOD.encode())
    assert refusal(Vault(store.directory, key)) == (
        f"{key}: is not a usable age identity (ssh key must be decrypted first); name a file made by"
        " `age-keygen`, or an ssh-ed25519 key without passphrase, in MOTORCADE_AGE_IDENTITY"
    )


def test_all_faults_of_several_secrets_are_found(store: Vault) -> None:
    put(store, "api-key", b"todo")
    assert [str(fault).partition(";")[0] for fault in store.faults(["redis", "api-key"])] == [
        f"{store.file('redis')}: no such file",
        f"{store.file('api-key')}: is a placeholder",
    ]


def test_a_file_that_the_manifest_does_not_know_is_a_stray(store: Vault) -> None:
    store.store("redis", GOOD)
    assert store.unlisted() == []
    put(store, "old", GOOD.encode())
    assert store.unlisted() == ["old"]


def test_a_fresh_vault_is_filled_with_secrets_that_differ(tmp_path: Path) -> None:
    key = pyrage.x25519.Identity.generate()
    source = tmp_path / "manifest.yaml"
    source.write_text(MANIFEST)
    made = generate_all(tmp_path / "lab" / "secrets", source, [str(key.to_public())])
    opened = Vault(made.directory, identity(tmp_path / "identity.txt", f"{key}\n"))
    assert opened.faults(["redis", "api-key"]) == []
    assert opened.reveal("redis") != opened.reveal("api-key")
    assert source.read_text() == MANIFEST
    assert [rule.rotated_on for rule in made.rules().values() if rule.rotated_on == "never"] == []
    assert stat.S_IMODE(made.directory.stat().st_mode) == 0o700


def test_a_directory_that_holds_something_is_not_filled(store: Vault) -> None:
    with pytest.raises(Refused, match=r"is not empty; rotate what is in it"):
        generate_all(store.directory, store.manifest, ["age1"])


def test_no_repr_holds_a_value(store: Vault) -> None:
    store.store("redis", GOOD)
    store.reveal("redis")
    path, identities = keys.identities(store.identity)
    assert store.identity
    secret_key = store.identity.read_text().splitlines()[1]
    for shown in (repr(store), repr(path), repr(identities), repr(vars(vault))):
        assert GOOD not in shown
        assert secret_key not in shown
