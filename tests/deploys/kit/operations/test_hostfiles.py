"""Files reach a host whole or not at all, and only when they differ."""

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from pyinfra.api.command import StringCommand
from pyinfra.api.facts import FactBase
from pyinfra.context import ctx_host

from deploys.kit.errors import Refused
from deploys.kit.facts import digest
from deploys.kit.operations import hostfiles
from deploys.kit.operations.hostfiles import HostDirectory, HostFile, HostFiles
from deploys.kit.run import steps
from deploys.kit.run.steps import Step
from tests.deploys.known_host import Page

ME = str(os.getuid())
MY_GROUP = str(os.getgid())


class LocalHost:
    """This machine in a host's place: facts and commands run for real, below a test's own folder."""

    def __init__(self) -> None:
        self.noops: list[str] = []

    def get_fact(self, fact: type[FactBase[Any]], **values: object) -> object:
        command = fact().command(**values)
        given = command if isinstance(command, StringCommand) else StringCommand(command)
        return fact().process(shell(given).stdout.splitlines())

    def noop(self, why: str) -> None:
        self.noops.append(why)


def shell(command: StringCommand) -> subprocess.CompletedProcess[str]:
    stdin = command.connector_arguments.get("_stdin")
    text = f"{stdin}\n" if stdin else None  # pyinfra appends a newline
    return subprocess.run(
        ["sh", "-c", command.get_raw_value()], input=text, text=True, capture_output=True, check=False
    )


@pytest.fixture(autouse=True)
def local(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[LocalHost]:
    monkeypatch.setattr(hostfiles, "STAGING", str(tmp_path / "staging"))
    monkeypatch.setattr(steps, "DIRECTORY", str(tmp_path / "steps"))
    host = LocalHost()
    with ctx_host.use(host):
        yield host


def mine(path: Path, content: str, mode: str = "644") -> HostFile:
    return HostFile(str(path), content, mode, ME, MY_GROUP)


def place(*files: HostFile, page: Page | None = None) -> list[StringCommand]:
    given: Any = page or Page()
    return list(hostfiles._place._inner(given, list(files)))  # noqa: SLF001 - the generator is under test


def make(*directories: HostDirectory) -> list[StringCommand]:
    given: Any = Page()
    return list(hostfiles._directories._inner(given, list(directories)))  # noqa: SLF001 - the same


def test_a_missing_file_is_placed_with_its_content_and_mode_by_one_command(tmp_path: Path) -> None:
    path = tmp_path / "it's a file"
    (command,) = place(mine(path, "größer\n$HOME 'x'\n", "640"))
    done = shell(command)
    assert (done.returncode, done.stderr) == (0, "")
    assert path.read_text() == "größer\n$HOME 'x'\n"
    assert path.stat().st_mode & 0o7777 == 0o640
    assert {entry.name for entry in tmp_path.rglob("*")} == {path.name, "PLAT_99", "staging"}


def test_a_second_run_has_nothing_to_do_and_says_so(tmp_path: Path, local: LocalHost) -> None:
    file = mine(tmp_path / "a", "1", "0644")
    (command,) = place(file)
    shell(command)
    assert place(file) == []
    assert len(local.noops) == 1


@pytest.mark.parametrize(
    "change",
    [
        lambda path: path.write_text("2"),
        lambda path: path.chmod(0o600),
        lambda path: path.unlink(),
        lambda path: (path.rename(f"{path}.real"), path.symlink_to(f"{path}.real")),
    ],
    ids=["content", "mode", "gone", "link"],
)
def test_whatever_happened_to_the_file_it_is_put_right(tmp_path: Path, change: Any) -> None:  # noqa: ANN401 - a lambda
    path, file = tmp_path / "a", mine(tmp_path / "a", "1")
    shell(place(file)[0])
    change(path)
    assert shell(place(file)[0]).returncode == 0
    assert (path.read_text(), path.is_symlink(), place(file)) == ("1", False, [])


def test_only_the_file_that_differs_is_sent(tmp_path: Path) -> None:
    same, other = mine(tmp_path / "same", "1"), mine(tmp_path / "other", "1")
    shell(place(same, other)[0])
    before = (tmp_path / "same").stat().st_ino
    changed = mine(tmp_path / "other", "2")
    (command,) = place(same, changed)
    assert str(tmp_path / "same") not in command.get_raw_value()
    shell(command)
    assert (tmp_path / "same").stat().st_ino == before
    assert (tmp_path / "other").read_text() == "2"


def test_a_missing_directory_is_an_error_and_no_file_of_the_batch_is_touched(tmp_path: Path) -> None:
    first = tmp_path / "first"
    first.write_text("old")
    (command,) = place(mine(first, "new"), mine(tmp_path / "nowhere" / "second", "x"))
    done = shell(command)
    assert done.returncode != 0
    assert "nowhere" in done.stderr
    assert first.read_text() == "old"
    assert {entry.name for entry in tmp_path.iterdir()} == {"first", "staging"}


def test_what_a_killed_run_left_is_in_nobodys_way(tmp_path: Path) -> None:
    stage = tmp_path / "staging" / "PLAT_99" / "files"
    stage.mkdir(parents=True)
    (stage / "old").write_text("old")
    (tmp_path / "a.motorcade-new").write_text("half")
    (command,) = place(mine(tmp_path / "a", "1"))
    assert shell(command).returncode == 0
    assert (tmp_path / "a").read_text() == "1"
    assert not stage.exists()
    assert not (tmp_path / "a.motorcade-new").exists()


def test_a_transfer_that_was_cut_off_changes_nothing(tmp_path: Path) -> None:
    path = tmp_path / "a"
    path.write_text("old")
    (command,) = place(mine(path, "new " * 1000))
    cut = str(command.connector_arguments["_stdin"])[:400]
    done = shell(StringCommand(command.get_raw_value(), _stdin=cut))
    assert done.returncode != 0
    assert path.read_text() == "old"


def test_the_same_files_give_the_same_bytes_in_any_order() -> None:
    one, two = HostFile("/etc/a", "1"), HostFile("/etc/b", "2")
    assert hostfiles.archive([one, two]) == hostfiles.archive([two, one])
    assert hostfiles.archive([one]) != hostfiles.archive([HostFile("/etc/a", "2")])


def test_a_locked_page_changes_nothing_but_may_look(tmp_path: Path) -> None:
    file = mine(tmp_path / "a", "1")
    with pytest.raises(PermissionError, match="/a"):
        place(file, page=Page(locked=True))
    shell(place(file)[0])
    assert place(file, page=Page(locked=True)) == []


def test_changed_names_what_would_be_replaced_and_not_what_is_new(tmp_path: Path) -> None:
    (tmp_path / "old").write_text("1")
    files = [mine(tmp_path / "old", "2"), mine(tmp_path / "new", "2")]
    assert hostfiles.changed(files) == files[:1]
    assert hostfiles.differing(files) == files


def left(file: HostFile) -> None:
    """A page has placed the file, and says so."""
    shell(place(file)[0])
    sums = {file.path: digest(file.content)}, {file.path: digest(file.meaning)}
    shell(steps.write_command(Step("PLAT_98", "lab", "c", "today", "run-1", "abc", *sums)))


def test_a_file_with_other_comments_stays_as_a_page_left_it(tmp_path: Path) -> None:
    file = mine(tmp_path / "a.conf", "# one\nport 1\n")
    left(file)
    reworded = mine(tmp_path / "a.conf", "# two\nport 1\n# three\n")
    assert (place(reworded), hostfiles.changed([reworded])) == ([], [])
    assert Path(file.path).read_text() == "# one\nport 1\n"


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("a.conf", "# two\nport 2\n"),
        ("a.conf", "# two\nport 1 # three\n"),
        ("a.conf", "port 1\n\n"),
        ("a", "# two\nport 1\n"),
    ],
    ids=["setting", "behind a setting", "empty line", "of no known kind"],
)
def test_whatever_else_is_new_reaches_the_host(tmp_path: Path, name: str, content: str) -> None:
    left(mine(tmp_path / name, "# one\nport 1\n"))
    assert len(place(mine(tmp_path / name, content))) == 1


@pytest.mark.parametrize("by_hand", ["# by hand\nport 1\n", "port 1\n", "# one\nport 2\n"])
def test_an_edit_by_hand_is_undone_even_in_a_comment(tmp_path: Path, by_hand: str) -> None:
    left(mine(tmp_path / "a.conf", "# one\nport 1\n"))
    (tmp_path / "a.conf").write_text(by_hand)
    (command,) = place(mine(tmp_path / "a.conf", "# two\nport 1\n"))
    shell(command)
    assert (tmp_path / "a.conf").read_text() == "# two\nport 1\n"


def test_other_comments_are_no_excuse_for_another_mode(tmp_path: Path) -> None:
    left(mine(tmp_path / "a.conf", "# one\nport 1\n"))
    assert len(place(mine(tmp_path / "a.conf", "# two\nport 1\n", "600"))) == 1


@pytest.mark.parametrize("record", ["", "{", '{"files": {}}', None])
def test_where_no_page_says_what_it_left_a_file_with_other_comments_is_replaced(
    tmp_path: Path, record: str | None
) -> None:
    left(mine(tmp_path / "a.conf", "# one\nport 1\n"))
    step = tmp_path / "steps/PLAT_98.json"
    step.unlink() if record is None else step.write_text(record)
    assert len(place(mine(tmp_path / "a.conf", "# two\nport 1\n"))) == 1


def test_an_owner_may_be_a_name_or_a_number(tmp_path: Path) -> None:
    path = tmp_path / "a"
    path.write_text("1")
    path.chmod(0o644)
    names = subprocess.run(
        ["stat", "-c", "%U %G", path], text=True, capture_output=True, check=True
    ).stdout.split()
    assert place(HostFile(str(path), "1", "644", *names)) == []
    assert place(HostFile(str(path), "1", "644", ME, MY_GROUP)) == []
    assert place(HostFile(str(path), "1", "644", "12345", MY_GROUP)) != []


def test_a_directory_is_made_corrected_and_then_left_alone(tmp_path: Path) -> None:
    outer = HostDirectory(str(tmp_path / "outer"), "750", ME, MY_GROUP)
    inner = HostDirectory(str(tmp_path / "outer" / "in ner"), "700", ME, MY_GROUP)
    assert shell(make(outer, inner)[0]).returncode == 0
    assert make(outer, inner) == []
    (tmp_path / "outer").chmod(0o777)
    (command,) = make(outer, inner)
    assert "in ner" not in command.get_raw_value()
    shell(command)
    assert (tmp_path / "outer").stat().st_mode & 0o7777 == 0o750


def test_what_lies_in_a_directory_keeps_its_mode(tmp_path: Path) -> None:
    (tmp_path / "outer").mkdir(mode=0o777)
    (tmp_path / "outer" / "file").write_text("1")
    (tmp_path / "outer" / "file").chmod(0o604)
    (command,) = make(HostDirectory(str(tmp_path / "outer"), "700", ME, MY_GROUP))
    shell(command)
    assert (tmp_path / "outer" / "file").stat().st_mode & 0o7777 == 0o604


@pytest.mark.parametrize("wrong", ["file", "parent missing"])
def test_a_directory_is_not_forced(tmp_path: Path, wrong: str) -> None:
    path = tmp_path / "a" if wrong == "file" else tmp_path / "b" / "a"
    if wrong == "file":
        path.write_text("precious")
    (command,) = make(HostDirectory(str(path), "755", ME, MY_GROUP))
    assert shell(command).returncode != 0
    assert not path.is_dir()


def test_the_fact_tells_files_directories_links_and_nothing_apart(tmp_path: Path, local: LocalHost) -> None:
    (tmp_path / "file").write_text("")
    (tmp_path / "dangling").symlink_to(tmp_path / "nowhere")
    paths = [str(tmp_path / name) for name in ("file", "dangling", "absent", "")]
    found = local.get_fact(HostFiles, paths=paths)
    assert isinstance(found, dict)
    empty = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
    assert {path: one.kind for path, one in found.items()} == {
        paths[0]: empty,
        paths[1]: "link",
        paths[3]: "directory",
    }


def test_registering_tells_the_page_of_content_and_mode() -> None:
    page = Page()
    hostfiles.register(page, [HostFile("/etc/a", "1", "600")])  # type: ignore[arg-type]  # what is used of a page
    assert page.owned == {"/etc/a": "1"}
    assert page.used == {"mode /etc/a": "600 root root"}


def test_what_is_lent_shapes_the_page_and_is_owned_by_another(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[dict[str, Any]] = []
    monkeypatch.setattr(hostfiles, "_place", lambda **values: asked.append(values))
    texts = set()
    path = tmp_path / "a.conf"
    for file in (mine(path, "1"), mine(path, "2"), mine(path, "1", "600"), mine(path, "# a comment\n1")):
        page = Page()
        hostfiles.lend(page, [file], "lent")  # type: ignore[arg-type]  # what is used of a page
        assert page.owned == {}
        assert asked[-1]["files"] == [file]
        texts.add(tuple(page.used.items()))
    assert len(texts) == 3


@pytest.fixture
def templates(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(hostfiles, "REPOSITORY", tmp_path)
    folder = tmp_path / "deploys/services/redis/templates"
    folder.mkdir(parents=True)
    return folder


def test_a_template_is_found_with_and_without_its_suffix(templates: Path) -> None:
    (templates / "a.conf").write_text("port {{ port }}\n")
    (templates / "b.conf.j2").write_text("port {{ port }} & <\n")
    assert hostfiles.render("redis/a.conf", port=1) == "port 1\n"
    assert hostfiles.render("redis/b.conf", port=2) == "port 2 & <\n"


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("{{ port }}", "deploys/services/redis/templates/a: 'port' is undefined; pass"),
        ("{% if port %}", "deploys/services/redis/templates/a:1: Unexpected end of template"),
        (None, "deploys/services/redis/templates/a: no such template; write it"),
    ],
)
def test_a_template_that_cannot_be_rendered_is_refused_by_name(
    templates: Path, text: str | None, fault: str
) -> None:
    if text is not None:
        (templates / "a").write_text(text)
    with pytest.raises(Refused) as refused:
        hostfiles.render("redis/a")
    assert str(refused.value).startswith(fault)


def test_a_file_that_shall_not_be_there_is_removed_once(tmp_path: Path, local: LocalHost) -> None:
    path = tmp_path / "it's a file"
    path.write_text("1")
    given: Any = Page()
    (command,) = hostfiles._absent._inner(given, str(path))  # noqa: SLF001 - the generator is under test
    assert shell(command).returncode == 0
    assert not path.exists()
    assert list(hostfiles._absent._inner(given, str(path))) == []  # noqa: SLF001 - the same
    assert len(local.noops) == 1


def test_a_locked_page_removes_nothing(tmp_path: Path) -> None:
    (tmp_path / "a").write_text("1")
    given: Any = Page(locked=True)
    with pytest.raises(PermissionError, match="/a"):
        list(hostfiles._absent._inner(given, str(tmp_path / "a")))  # noqa: SLF001 - the same
