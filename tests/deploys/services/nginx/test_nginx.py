"""The edge as it is written: its words are the API's, and what looks at it on a host sees what it has to see."""

import json
import os
import re
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from deploys.kit.facts import Answer
from deploys.kit.operations import hostfiles, package
from deploys.kit.operations.hostfiles import REPOSITORY, render
from deploys.kit.run.steps import Step, Steps
from deploys.services.leadgen import ADDRESS
from deploys.services.nginx import nginx
from leadgen.api.body import MOST_BYTES
from leadgen.api.problems import CATALOGUE
from tests.deploys.known_host import KnownHost, Page

EDGE = "edge.example"
VALUES = {
    "page": "PLAT_99",
    "edge_host": EDGE,
    "certificate": "/c",
    "key": "/k",
    "requests_per_second": 10,
    "requests_at_once": 400,
    "intake_seconds": 40,
    "burst": 20,
    "address": ADDRESS,
    "requests_per_minute": 20,
    "key_file": "k.conf",
    "maintenance": "/m",
}
NAMES = ("nginx.conf", "redirect.conf", "lead.conf", "browser.conf")


def problems(text: str) -> Iterator[tuple[int, dict[str, Any]]]:
    """Each `return <status> '<json>'` of a rendered file."""
    for status, body in re.findall(r"return (\d{3}) '(\{.*\})\\n';", text):
        yield int(status), json.loads(body)


@pytest.mark.parametrize("name", NAMES)
def test_what_the_edge_answers_itself_is_a_problem_of_the_catalogue(name: str) -> None:
    found = list(problems(render(f"nginx/{name}", **VALUES)))
    assert found
    for status, problem in found:
        kind = CATALOGUE[problem["type"].removeprefix(f"https://{EDGE}/api/lead/problems/")]
        assert (problem["status"], problem["title"]) == (status, kind.title)
        assert status == kind.status
        assert problem["detail"].endswith(".")
        assert problem["request_id"] == "$request_id"
        assert problem.get("code") == (kind.code if name == "browser.conf" else None)  # the others are frozen


def test_a_problem_under_another_title_is_found() -> None:
    (found,) = problems("""return 404 '{"title": "Gone"}\\n';""")
    assert found == (404, {"title": "Gone"})


def test_every_error_that_is_sent_somewhere_has_a_place_to_go() -> None:
    text = "".join(render(f"nginx/{name}", **VALUES) for name in NAMES)
    places = set(re.findall(r"error_page [\d =]+ (@[\w-]+|/[\w-]+);", text))
    assert len(places) > 12
    assert {place for place in places if not re.search(rf"location (= )?{place} {{", text)} == set()


def test_the_edge_takes_bodies_as_large_as_the_intake_does_and_keeps_them_in_memory() -> None:
    text = render("nginx/nginx.conf", **VALUES)
    for directive in ("client_max_body_size", "client_body_buffer_size"):
        (kilobytes,) = re.findall(rf"{directive} (\d+)k;", text)
        assert int(kilobytes) * 1024 == MOST_BYTES


def test_no_route_leads_anywhere_but_to_loopback() -> None:
    targets = re.findall(
        r"proxy_pass (.+?);",
        "".join(path.read_text() for path in REPOSITORY.glob("deploys/services/nginx/templates/*")),
    )
    assert sorted(targets) == ["http://{{ address }}/lead/", "http://{{ address }}/lead/intake"]
    assert ADDRESS.startswith("127.0.0.1:")


def hashes(content: str) -> list[str]:
    return re.findall(r"^Environment=MOTORCADE_UNIT=([0-9a-f]{64})$", content, re.MULTILINE)


def test_the_drop_in_carries_a_hash() -> None:
    assert len(hashes(nginx.drop_in("nginx/50-motorcade.conf", page="PLAT_05").content)) == 1


def test_the_hash_changes_with_the_drop_in_but_not_with_its_comments(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hostfiles, "REPOSITORY", tmp_path)
    template = tmp_path / hostfiles.template_file("x/a.conf")
    template.parent.mkdir(parents=True)
    found = []
    for text in ("Type=exec\n", "# Why.\nType=exec\n", "Type=simple\n"):
        template.write_text(f"Environment=MOTORCADE_UNIT={{{{ config }}}}\n{text}")
        found += hashes(nginx.drop_in("x/a.conf").content)
    assert (len(found), found[0] == found[1], found[0] == found[2]) == (3, True, False)


def make(folder: Path, name: str, *, days: str = "2") -> None:
    """A certificate that signs itself, and its key, as `edge.pem` and `edge.key`."""
    new = "-newkey ec -pkeyopt ec_paramgen_curve:P-256 -noenc".split()
    shape = ["-subj", f"/CN={name}", "-addext", f"subjectAltName=DNS:{name}"]
    files: list[str | Path] = ["-keyout", folder / "edge.key", "-out", folder / "edge.pem"]
    subprocess.run(["openssl", "req", "-x509", *new, *shape, *files], check=True, capture_output=True, timeout=10)
    again: list[str | Path] = [
        "-in",
        folder / "edge.pem",
        "-signkey",
        folder / "edge.key",
        "-days",
        days,
        "-out",
        folder / "edge.pem",
    ]
    subprocess.run(["openssl", "x509", *again], check=True, capture_output=True, timeout=10)
    (folder / "edge.key").chmod(0o600)


def look(folder: Path) -> tuple[int, str]:
    script = nginx._certificate_faults(f"{folder}/edge.pem", f"{folder}/edge.key", EDGE)  # noqa: SLF001 - the script is under test
    done = subprocess.run(["sh", "-c", script], capture_output=True, text=True, timeout=10, check=False)
    return done.returncode, done.stdout + done.stderr


needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="the key has to be root's")


@needs_root
def test_a_certificate_with_its_key_is_taken_in_silence(tmp_path: Path) -> None:
    make(tmp_path, EDGE)
    assert look(tmp_path) == (0, "")


@needs_root
@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (lambda folder: (folder / "edge.pem").unlink(), "edge.pem is missing"),
        (lambda folder: (folder / "edge.key").unlink(), "edge.key is missing"),
        (lambda folder: (folder / "edge.key").chmod(0o640), "edge.key is readable by others than root: chmod 600"),
        (
            lambda folder: os.chown(folder / "edge.key", 1, -1),
            "edge.key is readable by others than root: chmod 600",
        ),
        (lambda folder: (folder / "edge.pem").write_text("x"), "edge.pem does not begin with a certificate"),
        (lambda folder: make(folder, EDGE, days="-1"), "it expired: notAfter="),
        (lambda folder: make(folder, "other.example"), "it is for another name"),
        (lambda folder: (folder / "edge.key").write_text("x"), "edge.key does not match the certificate"),
    ],
    ids=["no certificate", "no key", "readable", "owner", "no pem", "ended", "name", "key"],
)
def test_a_certificate_that_cannot_be_served_is_told_from_a_good_one(
    tmp_path: Path, spoil: Callable[[Path], object], words: str
) -> None:
    make(tmp_path, EDGE)
    spoil(tmp_path)
    status, said = look(tmp_path)
    assert status == 1
    assert words in said


def test_the_hash_of_the_configuration_changes_with_every_file_that_is_read(tmp_path: Path) -> None:
    (tmp_path / "motorcade/routes.d").mkdir(parents=True)
    files = [
        tmp_path / name for name in ("nginx.conf", "motorcade/tls.conf", "motorcade/routes.d/a.conf", "edge.pem")
    ]
    for file in files:
        file.write_text("1")
    script = render("nginx/configuration.sh", page="PLAT_99", certificate=tmp_path / "edge.pem")
    script = script.replace("/etc/nginx", str(tmp_path))

    def look() -> str:
        return subprocess.run(["sh", "-c", script], capture_output=True, text=True, timeout=10, check=True).stdout

    seen = [look(), look()]
    assert seen[0] == seen[1]
    for file in files:
        file.write_text("2")
        seen.append(look())
    (tmp_path / "motorcade/routes.d/b.conf").write_text("1")
    assert len({*seen, look()}) == len(files) + 2
    assert re.fullmatch(r"[0-9a-f]{64}\n", seen[0])


@pytest.mark.parametrize(
    ("manager", "words"),
    [("apt-get", "install.* nginx=1.2* gzip"), ("dnf", "install nginx-1.2* gzip")],
)
def test_a_package_comes_in_its_version_from_the_manager_that_the_host_has(
    tmp_path: Path, manager: str, words: str
) -> None:
    (tmp_path / manager).write_text(f'#!/bin/sh\necho "$@" >> {tmp_path}/said\n')
    (tmp_path / manager).chmod(0o755)
    script = package.install("nginx", "1.2", "gzip")
    subprocess.run(["/bin/sh", "-euc", script], env={"PATH": str(tmp_path)}, check=True, timeout=10)
    first, _, last = words.partition(".*")
    assert (tmp_path / "said").read_text().rstrip().endswith(last or words)
    assert first in (tmp_path / "said").read_text()


def test_a_manager_that_fails_fails_the_installation(tmp_path: Path) -> None:
    (tmp_path / "apt-get").write_text('#!/bin/sh\n[ "$1" != update ]\n')
    (tmp_path / "apt-get").chmod(0o755)
    script = f"{package.install('nginx', '1.2')}; echo went on"
    done = subprocess.run(
        ["/bin/sh", "-euc", script],
        env={"PATH": str(tmp_path)},
        capture_output=True,
        text=True,
        timeout=10,
        check=False,
    )
    assert (done.returncode, done.stdout) == (1, "")


ROUTE = "/etc/nginx/motorcade/routes.d/lead.conf"


def running(faults: list[str], route: str, *, locked: bool = False) -> tuple[list[str], KnownHost]:
    """What `running` would do where nginx looks so, and the file of another page has this hash (`left` it was)."""
    steps = {"PLAT_07": Step("PLAT_07", passed="today", files={ROUTE: "left"})}
    probes = {"MainPID": Answer(0, faults), "sha256sum --": Answer(0, [f"{route}  {ROUTE}"])}
    host = KnownHost({Steps: steps}, probes)
    commands = host.run(nginx._running, page=Page(locked=locked))  # noqa: SLF001 - the operation
    return [command.get_raw_value() for command in commands], host


def test_a_new_configuration_is_loaded_once_every_page_finds_its_own_in_it() -> None:
    commands, _ = running(["another configuration"], "left")
    assert "systemctl reload nginx.service" in commands[0]


def test_a_file_that_somebody_edited_is_not_made_live_by_another_pages_reload() -> None:
    commands, host = running(["another configuration"], "edited", locked=True)
    assert commands == []
    assert host.noops == ["PLAT_99: nginx.service waits"]


def test_a_frozen_page_starts_what_is_down_and_changes_nothing_else() -> None:
    commands, _ = running(["not active"], "left", locked=True)
    assert "systemctl restart nginx.service" in commands[0]
    with pytest.raises(PermissionError, match="another configuration"):
        running(["another configuration"], "left", locked=True)


def mapped(variable: str, value: str) -> str:
    """What a map of regular expressions makes of a value: the first that fits, or its default."""
    block = re.findall(
        rf"map [^{{}}]+ \${variable} \{{(.*?)\}}\n", render("nginx/nginx.conf", **VALUES), re.DOTALL
    )[-1]
    rules = re.findall(r'"~(.*?)" (\S+?);', block)
    for pattern, result in rules:
        if found := re.match(pattern.replace("(?<", "(?P<"), value):
            return found[result[1:]] if result.startswith("$") else str(result)
    return str(re.findall(r"default (\S+?);", block)[0])


@pytest.mark.parametrize(
    ("seen", "logged"),
    [
        (" 1", "1"),
        (" 3", "1"),
        (" 4", "0"),
        (" 10", "0"),
        (" 101", "0"),
        (" 31", "0"),
        (" 1000", "0"),
        ("127.0.0.1:8000 77", "1"),
    ],
)
def test_what_the_edge_answers_itself_is_logged_for_the_first_requests_of_a_connection(
    seen: str, logged: str
) -> None:
    assert mapped("logged", seen) == logged


def test_what_a_caller_makes_long_is_cut_off_in_the_log() -> None:
    assert mapped("path", "/a?b=c") == "/a"
    assert mapped("path", "/" + "a" * 8000) == "/" + "a" * 99
    assert mapped("method", "GET") == "GET"
    assert mapped("method", "A" * 8000) == "A" * 16
