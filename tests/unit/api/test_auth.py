"""Who is calling: one answer to every wrong key, and a keys file that may change under a running process."""

import logging
import os
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from leadgen.api.auth import KeyFile, load_ring
from leadgen.api.problems import Problem
from leadgen.domain.api_key import enrol, mint
from leadgen.errors import KeyFileError

INTAKE = frozenset({"intake"})
KEY, LINE = mint("wordpress", INTAKE, None)
EXPIRED_KEY, EXPIRED_LINE = mint("wordpress", INTAKE, datetime.now(UTC) - timedelta(days=1))
UNKNOWN_KEY, _ = mint("wordpress", INTAKE, None)


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "api-keys"
    path.write_text(f"{LINE}\n{EXPIRED_LINE}\n")
    return path


def bearing(header: str | None) -> dict[str, str]:
    return {} if header is None else {"HTTP_AUTHORIZATION": header}


def refusal(keys: KeyFile, header: str | None, scope: str = "intake") -> Problem:
    with pytest.raises(Problem) as caught:
        keys.authenticate(bearing(header), scope)
    return caught.value


def accepts(keys: KeyFile, key: str) -> bool:
    try:
        keys.authenticate({"HTTP_X_API_KEY": key}, "intake")
    except Problem:
        return False
    return True


@pytest.mark.parametrize("header", [f"Bearer {KEY}", f"bearer {KEY}", f"Bearer   {KEY} "])
def test_a_key_names_its_client(path: Path, header: str) -> None:
    assert KeyFile(path).authenticate(bearing(header), "intake").client_id == "wordpress"


def test_the_key_may_be_in_either_header_or_the_same_one_in_both(path: Path) -> None:
    keys = KeyFile(path)
    for environ in ({"HTTP_X_API_KEY": f" {KEY} "}, {"HTTP_X_API_KEY": KEY, **bearing(f"Bearer {KEY}")}):
        assert keys.authenticate(environ, "intake").client_id == "wordpress"


def test_two_different_keys_are_a_bad_request_even_if_one_of_them_is_good(path: Path) -> None:
    with pytest.raises(Problem) as caught:
        KeyFile(path).authenticate({"HTTP_X_API_KEY": UNKNOWN_KEY, **bearing(f"Bearer {KEY}")}, "intake")
    assert (caught.value.kind.slug, caught.value.kind.status) == ("bad-request", 400)
    assert KEY not in str(caught.value)


def test_an_enrolled_key_of_somebody_elses_making_works_like_ours(path: Path) -> None:
    theirs = "vault-" + "k3Y!" * 8
    path.write_text(f"{LINE}\n{enrol(theirs, 'bridge', INTAKE, None)}\n")
    keys = KeyFile(path)
    assert keys.authenticate({"HTTP_X_API_KEY": theirs}, "intake").client_id == "bridge"
    assert refusal(keys, f"Bearer {theirs[:-1]}").kind.slug == "unauthorized"


@pytest.mark.parametrize(
    "header",
    [
        None,
        "",
        KEY,
        "Bearer",
        "Bearer ",
        f"Basic {KEY}",
        f"Bearer {KEY[:-1]}",
        f"Bearer {UNKNOWN_KEY}",
        f"Bearer {EXPIRED_KEY}",
        f"Bearer {KEY} {KEY}",
        "Bearer \xff",
    ],
)
def test_no_wrong_mistyped_unknown_or_expired_key_gets_another_answer_than_the_rest(
    path: Path, header: str | None
) -> None:
    problem = refusal(KeyFile(path), header)
    assert (problem.kind.slug, problem.kind.status) == ("unauthorized", 401)
    assert problem.detail == problem.kind.meaning
    assert problem.headers == {"WWW-Authenticate": "Bearer"}
    assert problem.extensions == {}


def test_a_key_without_the_scope_is_a_403_that_names_it(path: Path) -> None:
    problem = refusal(KeyFile(path), f"Bearer {KEY}", scope="reports")
    assert (problem.kind.slug, problem.kind.status) == ("missing-scope", 403)
    assert "`reports`" in problem.detail


@pytest.mark.parametrize("content", [None, b"", b"# nothing\n", b"nonsense\n", b"\xff\xfe"])
def test_a_process_without_good_keys_does_not_start(tmp_path: Path, content: bytes | None) -> None:
    path = tmp_path / "api-keys"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(KeyFileError, match=r"^API keys file.*: .*; .*"):
        KeyFile(path)


def test_a_changed_file_is_read_again_after_a_second(path: Path) -> None:
    clock = Clock()
    keys = KeyFile(path, clock)
    path.write_text(mint("crm", INTAKE, None)[1])
    assert accepts(keys, KEY)
    clock.now = 1.0
    assert not accepts(keys, KEY)


def test_a_file_replaced_by_one_of_the_same_size_and_time_is_noticed(path: Path) -> None:
    clock = Clock()
    keys = KeyFile(path, clock)
    before = path.stat()
    other = path.with_name("other")
    other.write_text(path.read_text().replace(LINE, mint("wordpress", INTAKE, None)[1]))
    os.utime(other, ns=(before.st_atime_ns, before.st_mtime_ns))
    other.replace(path)
    clock.now = 1.0
    assert not accepts(keys, KEY)


def test_an_unchanged_file_is_not_read_again(path: Path) -> None:
    clock = Clock()
    keys = KeyFile(path, clock)
    before = path.stat()
    path.write_text(path.read_text().replace("wordpress", "wordprezz"))
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    clock.now = 1.0
    assert keys.authenticate(bearing(f"Bearer {KEY}"), "intake").client_id == "wordpress"


@pytest.mark.parametrize("content", [None, "", "mcl_pasted_by_mistake\n"])
def test_a_new_file_without_a_good_line_keeps_the_old_keys_and_is_reported_once_until_it_is_fixed(
    path: Path, content: str | None, caplog: pytest.LogCaptureFixture
) -> None:
    clock = Clock()
    keys = KeyFile(path, clock)
    assert keys.faults == 0
    if content is None:
        path.unlink()
    else:
        path.write_text(content)
    with caplog.at_level(logging.ERROR):
        for clock.now in (1.0, 2.0, 3.0):
            assert accepts(keys, KEY)
            assert keys.faults == 1
    [record] = caplog.records
    assert record.getMessage() == "keys_file_refused"
    assert "pasted" not in str(record.__dict__)
    other, line = mint("crm", INTAKE, None)
    path.write_text(line)
    clock.now = 4.0
    assert accepts(keys, other)
    assert keys.faults == 0


def test_a_bad_line_keeps_no_good_one_out_and_is_reported_once(
    path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    other, line = mint("crm", INTAKE, None)
    path.write_text(f"{LINE}\nmcl_pasted_by_mistake\n{line}\n{LINE}\n")
    clock = Clock()
    with caplog.at_level(logging.ERROR):
        keys = KeyFile(path, clock)
        for clock.now in (1.0, 2.0):
            assert accepts(keys, KEY)
            assert accepts(keys, other)
            assert keys.faults == 2
    assert [record.getMessage() for record in caplog.records] == ["keys_line_refused"] * 2
    whats = [vars(record)["leadgen_fields"]["what"] for record in caplog.records]
    assert ["line 2" in whats[0], "line 4" in whats[1]] == [True, True]
    assert "pasted" not in str(whats)


def test_a_bad_line_in_a_new_file_is_reported_and_its_good_lines_are_in_use(
    path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    clock = Clock()
    keys = KeyFile(path, clock)
    other, line = mint("crm", INTAKE, None)
    path.write_text(f"nonsense\n{line}\n")
    clock.now = 1.0
    with caplog.at_level(logging.ERROR):
        assert accepts(keys, other)
    assert not accepts(keys, KEY), "its line was removed"
    assert caplog.messages == ["keys_line_refused"]


def test_a_bad_line_is_named_with_its_file_and_number(path: Path) -> None:
    path.write_text(f"# ours\n{LINE}\nmcl_pasted_by_mistake\n")
    with pytest.raises(KeyFileError) as caught:
        load_ring(path)
    assert str(caught.value).startswith(f"API keys file {path}, line 3: it has 1 words instead of 5: ")


def test_an_unreadable_file_is_named_with_the_reason(tmp_path: Path) -> None:
    with pytest.raises(KeyFileError, match=r"cannot be read \(No such file or directory\); name a readable"):
        load_ring(tmp_path / "missing")
