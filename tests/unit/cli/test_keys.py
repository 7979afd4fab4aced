"""`leadgen keys`: a key is shown once, the file changes in one step, and the last key stays."""

import stat
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from leadgen.cli.keys import keys
from leadgen.domain.api_key import KeyRing, key_id_of, mint
from leadgen.errors import KeyFileError

INTAKE = frozenset({"intake"})
OPAQUE = "8Jb/qv+W2xYkP7mTzR4nC9sLdH1gUeAo=="


@pytest.fixture
def path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    path = tmp_path / "api-keys"
    monkeypatch.setenv("LEADGEN_API_KEYS_FILE", str(path))
    return path


def run(*words: str) -> Result:
    return CliRunner().invoke(keys, words)


def test_a_new_key_is_two_lines_that_fit_each_other(path: Path) -> None:
    result = run("new", "--client", "wordpress", "--scope", "intake")
    assert result.exit_code == 0
    key, line = result.stdout.splitlines()
    client = KeyRing.load(line).client_for(key, datetime.now(UTC))
    assert client is not None
    assert client.client_id == "wordpress"
    assert not path.exists()


def test_append_adds_to_the_file_and_keeps_what_is_there_and_its_mode(path: Path) -> None:
    _, line = mint("crm", INTAKE, None)
    path.write_text(f"# ours\n{line}")
    path.chmod(0o640)
    result = run("new", "--client", "wordpress", "--append")
    assert result.exit_code == 0
    assert path.read_text() == f"# ours\n{line}\n{result.stdout.splitlines()[1]}\n"
    assert stat.S_IMODE(path.stat().st_mode) == 0o640
    assert [other.name for other in path.parent.iterdir()] == [path.name]


def test_append_makes_a_file_that_only_its_owner_reads(path: Path) -> None:
    key = run("new", "--client", "wordpress", "--append").stdout.splitlines()[0]
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert key not in path.read_text()


def test_append_through_a_link_changes_the_file_that_it_leads_to(path: Path) -> None:
    real = path.with_name("real")
    real.write_text(mint("crm", INTAKE, None)[1])
    path.symlink_to(real)
    assert run("new", "--client", "wordpress", "--append").exit_code == 0
    assert path.is_symlink()
    assert len(real.read_text().splitlines()) == 2


def test_append_leaves_a_bad_file_alone(path: Path) -> None:
    path.write_text("nonsense\n")
    result = run("new", "--client", "wordpress", "--append")
    assert isinstance(result.exception, KeyFileError)
    assert path.read_text() == "nonsense\n"
    assert result.stdout == ""


@pytest.mark.parametrize("text", [OPAQUE, f"{OPAQUE}\n", f"\ufeff{OPAQUE}\r\n", f"{OPAQUE}\r\n\r\n"])
def test_an_enrolled_key_works_and_is_never_shown(path: Path, text: str) -> None:
    source = path.with_name("key")
    source.write_bytes(text.encode())
    result = run("enrol", "--client", "motorcade-site", "--file", str(source), "--scope", "intake", "--append")
    assert result.exit_code == 0
    assert OPAQUE not in result.output
    assert path.read_text() == result.stdout
    client = KeyRing.load(path.read_text()).client_for(OPAQUE, datetime.now(UTC))
    assert client is not None
    assert (client.client_id, client.scopes) == ("motorcade-site", frozenset({"intake"}))


def test_an_enrolled_key_can_expire_and_come_through_a_pipe(path: Path) -> None:
    words = ["enrol", "--client", "crm", "--file", "-", "--days", "30"]
    result = CliRunner().invoke(keys, words, input=OPAQUE)
    [entry] = KeyRing.load(result.stdout)
    assert entry.expires is not None
    assert timedelta(days=29) < entry.expires - datetime.now(UTC) <= timedelta(days=30)
    assert not path.exists()


def test_a_key_of_ours_can_be_enrolled_where_its_line_is_missing(tmp_path: Path) -> None:
    key, line = mint("crm", INTAKE, None)
    (tmp_path / "key").write_text(key)
    assert run("enrol", "--client", "crm", "--file", str(tmp_path / "key")).stdout == f"{line}\n"


def test_a_key_is_enrolled_once(path: Path) -> None:
    words = ("enrol", "--client", "crm", "--append", "--file", str(path.with_name("key")))
    path.with_name("key").write_text(OPAQUE)
    assert run(*words).exit_code == 0
    before = path.read_text()
    result = run(*words)
    assert isinstance(result.exception, KeyFileError)
    assert "repeats the key id" in str(result.exception)
    assert path.read_text() == before


@pytest.mark.parametrize(
    "text",
    ["", "short", OPAQUE[:31], f"{OPAQUE} {OPAQUE}", f"{OPAQUE}é", OPAQUE * 20, f"mcl_{OPAQUE}"],
    ids=["empty", "short", "31", "two", "not ASCII", "long", "ours with a typo"],
)
def test_what_is_not_a_key_is_not_enrolled_and_not_shown(tmp_path: Path, text: str) -> None:
    (tmp_path / "key").write_text(text)
    result = run("enrol", "--client", "crm", "--file", str(tmp_path / "key"))
    assert result.exit_code == 2
    assert "The key is neither one of ours nor 32 to 512 visible ASCII characters." in result.stderr
    assert not text or text not in result.output


@pytest.mark.parametrize(
    ("words", "days"),
    [(("--days", "30"), 30), (("--expires", f"{datetime.now(UTC) + timedelta(days=60):%Y-%m-%d}"), 60)],
)
def test_a_key_expires_when_it_should(path: Path, words: tuple[str, ...], days: int) -> None:
    del path
    [entry] = KeyRing.load(run("new", "--client", "a", *words).stdout.splitlines()[1])
    assert entry.expires is not None
    assert timedelta(days=days - 1) < entry.expires - datetime.now(UTC) <= timedelta(days=days)


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("--client", "Two Words"), "The key has a client name that is not"),
        (("--client", "a", "--expires", "2020-01-01"), "is in the past"),
        (("--client", "a", "--expires", "2099-01-01", "--days", "3"), "give one of them"),
        (("--client", "a", "--scope", "admin"), "'admin' is not"),
        ((), "Missing option '--client'"),
    ],
)
def test_a_key_that_cannot_be_is_refused_with_a_reason(words: tuple[str, ...], says: str) -> None:
    result = run("new", *words)
    assert result.exit_code == 2
    assert says in result.stderr


def test_the_list_shows_client_scopes_and_expiry_but_no_digest(path: Path) -> None:
    now = datetime.now(UTC)
    ends = {"never": None, "late": now + timedelta(days=90), "soon": now + timedelta(days=9, hours=1),
            "past": now - timedelta(days=1)}  # fmt: skip
    lines = [mint(client, INTAKE, end)[1] for client, end in ends.items()]
    path.write_text("\n".join(lines))
    result = run("list")
    rows = [row.split("\t") for row in result.stdout.splitlines()]
    assert [(row[1], row[2], row[4]) for row in rows] == [
        ("never", "intake", "ok"),
        ("late", "intake", "ok"),
        ("soon", "intake", "expires in 9 days"),
        ("past", "intake", "expired"),
    ]
    assert not any(line.split()[3] in result.output for line in lines)


def test_a_revoked_key_is_refused_from_then_on_and_leaves_a_trace(path: Path) -> None:
    key, line = mint("wordpress", INTAKE, None)
    other, other_line = mint("crm", INTAKE, None)
    path.write_text(f"{line}\n{other_line}\n")
    key_id = key_id_of(key)
    assert key_id is not None
    assert run("revoke", key_id).exit_code == 0
    ring = KeyRing.load(path.read_text())
    assert ring.client_for(key, datetime.now(UTC)) is None
    assert ring.client_for(other, datetime.now(UTC)) is not None
    assert f": {key_id} wordpress intake" in path.read_text().splitlines()[0]


def test_an_unknown_key_id_cannot_be_revoked(path: Path) -> None:
    path.write_text(mint("wordpress", INTAKE, None)[1])
    result = run("revoke", "nonesuch")
    assert str(result.exception) == "keys revoke: no key has that id; see `leadgen keys list`"


def test_the_last_key_is_not_revoked_as_a_running_api_would_keep_it(path: Path) -> None:
    key, line = mint("wordpress", INTAKE, None)
    path.write_text(line)
    result = run("revoke", key_id_of(key) or "")
    assert isinstance(result.exception, KeyFileError)
    assert "create its successor first" in str(result.exception)
    assert path.read_text() == line


def test_nothing_is_left_behind_when_the_file_cannot_be_written(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full_disk(_handle: int) -> None:
        raise OSError(28, "No space left on device")

    path.write_text(before := mint("crm", INTAKE, None)[1])
    monkeypatch.setattr("os.fsync", full_disk)
    assert isinstance(run("new", "--client", "a", "--append").exception, OSError)
    assert path.read_text() == before
    assert [other.name for other in path.parent.iterdir()] == [path.name]
