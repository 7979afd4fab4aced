"""What no page made is told by its own name, with the command that takes it away; what pages made is not."""

import re
import subprocess
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from deploys.inspect import unmanaged
from deploys.inspect.finding import Finding
from deploys.kit.errors import Refused
from deploys.kit.facts import Answer
from deploys.kit.plan import runbook
from deploys.kit.run.steps import Step
from tests.deploys.known_host import KnownHost

QUADLETS = "/etc/containers/systemd"
SYSTEMD = "/etc/systemd/system"
HAND = "/run/containers/systemd"
RELOAD = "sudo systemctl daemon-reload"
RESTART = "sudo systemctl restart"
STOP = "sudo systemctl stop x.service; sudo systemctl reset-failed x.service 2>/dev/null"
OWNED = {
    f"{QUADLETS}/motorcade-redis.container",
    f"{QUADLETS}/motorcade-core.network",
    f"{SYSTEMD}/motorcade.target",
}
ID = "5a" * 32
WELL = f"""
== files
{QUADLETS}/motorcade-redis.container\t
{QUADLETS}/motorcade-core.network\t
{SYSTEMD}/motorcade.target\t
{SYSTEMD}/multi-user.target.wants/motorcade.target\t{SYSTEMD}/motorcade.target
{SYSTEMD}/sshd.service\t/usr/lib/systemd/system/ssh.service
{SYSTEMD}/apt-daily.timer\t/dev/null
== listeners
LISTEN 0 128 0.0.0.0:22 0.0.0.0:* users:(("sshd",pid=81,fd=6))
LISTEN 0 128 127.0.0.1:8000 0.0.0.0:* users:(("systemd",pid=1,fd=6))
LISTEN 0 128 10.89.10.1:53 0.0.0.0:* users:(("aardvark-dns",pid=2,fd=6))
== active
motorcade-drill.service
== containers
motorcade-redis\tlocalhost/motorcade-redis:8\trunning\t
scratch\tlocalhost/motorcade-postgres:17\trunning\tmotorcade-drill.service
== pods
== networks
motorcade-core
podman
== volumes
== images
motorcade-redis\t{ID}\tlocalhost/motorcade-redis:8
== built
motorcade-redis-8.id\t{ID}
""".strip()


def told(
    text: str, expected: str = "0.0.0.0:22", status: int = 0, unknown: str = ""
) -> list[tuple[str, str, str, str]]:
    host: Any = KnownHost(probes={"== files": Answer(status, text.splitlines())})
    host.name = "host"
    settings: Any = SimpleNamespace(core_subnet="10.89.10.0/24", drift_expected=expected)
    found = unmanaged.look(host, settings, OWNED, unknown)
    return [(each.kind, each.where, each.what, each.remedy) for each in found]


def after(title: str, line: str) -> list[tuple[str, str, str, str]]:
    return told(WELL.replace(f"== {title}\n", f"== {title}\n{line}\n"))


def test_a_host_with_nothing_but_what_its_pages_made_has_no_stranger() -> None:
    assert told(WELL) == []


@pytest.mark.parametrize(
    ("path", "target", "remedy"),
    [
        ("/etc/motorcade/x", "", "sudo rm /etc/motorcade/x"),
        ("/etc/motorcade/x", "/etc/passwd", "sudo rm /etc/motorcade/x"),
        (
            "/etc/nginx/motorcade/routes.d/x.conf",
            "",
            "sudo rm /etc/nginx/motorcade/routes.d/x.conf; sudo systemctl reload nginx",
        ),
        (
            f"{QUADLETS}/x.container",
            "",
            f"{STOP}; sudo rm {QUADLETS}/x.container; {RELOAD}",
        ),
        (
            f"{HAND}/motorcade-redis.container.d/x.conf",
            "",
            f"sudo rm {HAND}/motorcade-redis.container.d/x.conf; {RELOAD}; {RESTART} motorcade-redis.service",
        ),
        (
            f"{SYSTEMD}/nginx.service.d/x.conf",
            "",
            f"sudo rm {SYSTEMD}/nginx.service.d/x.conf; {RELOAD}; {RESTART} nginx.service",
        ),
        (
            f"{SYSTEMD}/x.service",
            "/opt/x.service",
            f"{STOP}; sudo rm {SYSTEMD}/x.service; {RELOAD}",
        ),
    ],
)
def test_a_file_in_a_place_of_the_pages_is_told_with_how_it_goes(path: str, target: str, remedy: str) -> None:
    assert after("files", f"{path}\t{target}") == [("file", path, "was made by no page", remedy)]


def test_a_masked_unit_of_the_platform_is_told_and_one_that_joined_its_target() -> None:
    (masked,) = after("files", f"{SYSTEMD}/motorcade-redis.service\t/dev/null")
    assert masked[:3] == ("unit", "motorcade-redis.service", "is masked")
    joined = after("files", f"{SYSTEMD}/motorcade.target.wants/x.service\t/usr/lib/systemd/system/x.service")
    assert [each[3] for each in joined] == ["sudo systemctl disable --now x.service"]


def test_a_listener_is_told_with_the_process_behind_it() -> None:
    line = 'LISTEN 0 128 [::]:9999 [::]:* users:(("nc",pid=77,fd=3))'
    assert after("listeners", line) == [
        (
            "listener",
            "[::]:9999",
            "listens and is no page's: nc, process 77",
            "stop what `sudo systemctl status 77` names",
        )
    ]
    assert after("listeners", "LISTEN 0 128 [::]:9999 [::]:*")[0][2].endswith("a program, process that has ended")


@pytest.mark.parametrize(
    ("kind", "row", "command"),
    [
        ("container", "x\timage\tExited\t", "sudo podman container rm --force x"),
        ("container", "x\timage\trunning\tmotorcade-backup.service", "sudo podman container rm --force x"),
        ("pod", "x", "sudo podman pod rm --force x"),
        ("network", "x", "sudo podman network rm x"),
        (
            "volume",
            "x",
            "sudo podman volume inspect x shows its data; remove it by hand once you know that it is not needed",
        ),
    ],
)
def test_what_podman_has_besides_is_told_with_the_command_that_ends_it(kind: str, row: str, command: str) -> None:
    (found,) = after(f"{kind}s", row)
    assert (found[0], found[1], found[3]) == (kind, "x", command)


STRANGERS = {
    "files": f"{QUADLETS}/x.container\t",
    "containers": "x\timage\tExited\t",
    "pods": "x",
    "networks": "x",
    "volumes": "x",
}


@pytest.mark.parametrize(("title", "row"), STRANGERS.items())
def test_nothing_is_removed_while_a_page_may_own_it(title: str, row: str) -> None:
    text = WELL.replace(f"== {title}\n", f"== {title}\n{row}\n")
    (found,) = told(text, unknown="deploys/plat_08b.py")
    assert found[2].endswith(", as far as is known")
    assert found[3] == "deploys/plat_08b.py, then drift again: it may be that page's"
    assert told(WELL, unknown="deploys/plat_08b.py") == []


def test_files_are_known_only_where_every_page_has_a_readable_record() -> None:
    pages = list(runbook.ready([]))
    steps = {entry.id: Step(entry.id, passed="now") for entry in pages}
    assert list(unmanaged.unknown(pages, steps)) == []
    del steps["PLAT_08B"]
    steps["PLAT_05"] = Step("PLAT_05", unreadable=True)
    assert sorted(unmanaged.unknown(pages, steps)) == [
        "deploys/plat_05.py --data unlock=PLAT_05 --data reason='…'",
        "deploys/plat_08b.py",
    ]


def test_a_mask_is_no_question_of_who_made_it() -> None:
    text = WELL.replace("== files\n", f"== files\n{SYSTEMD}/motorcade-redis.service\t/dev/null\n")
    assert told(text, unknown="deploys/plat_08b.py") == told(text)
    assert "unmask" in told(text)[0][3]


def test_an_image_that_was_not_built_here_is_told_by_who_runs_it() -> None:
    (found,) = told(WELL.replace(f"motorcade-redis\t{ID}", f"motorcade-redis\t{'6b' * 32}"))
    assert found[:2] == ("image", "motorcade-redis")
    assert found[2] == "runs 6b6b6b6b6b6b, which was not built here as localhost/motorcade-redis:8"


def test_what_the_settings_expect_is_no_stranger() -> None:
    text = WELL.replace("== volumes\n", "== volumes\nx\n")
    assert [each[1] for each in told(text)] == ["x"]
    assert told(text, expected="0.0.0.0:22 x") == []
    assert [each[1] for each in told(text, expected="x")] == ["0.0.0.0:22"]


def test_a_host_without_podman_is_looked_at_all_the_same() -> None:
    assert told(WELL.partition("== active")[0]) == []


def listed(root: Path) -> subprocess.CompletedProcess[str]:
    """The look at the files, in a host's folders below another root."""
    text = re.sub(r"(?<=[ \n])/(?=etc/|run/|usr/)", f"{root}/", unmanaged.FILES)
    return subprocess.run(
        ["sh", "-c", text],
        env={"PATH": f"{root}:/usr/bin:/bin"},
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )


def test_files_are_listed_with_where_links_lead_and_folders_may_be_missing(tmp_path: Path) -> None:
    for file in (
        "etc/motorcade/a/keys",
        "run/systemd/system/motorcade-x.service",
        "run/systemd/system/other.service",
    ):
        (tmp_path / file).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / file).touch()
    (tmp_path / "etc/motorcade/link").symlink_to("/dev/null")
    done = listed(tmp_path)
    assert (done.returncode, sorted(done.stdout.splitlines())) == (
        0,
        [
            f"{tmp_path}/etc/motorcade/a/keys\t",
            f"{tmp_path}/etc/motorcade/link\t/dev/null",
            f"{tmp_path}/run/systemd/system/motorcade-x.service\t",
        ],
    )


def test_a_folder_that_cannot_be_listed_is_not_called_empty(tmp_path: Path) -> None:
    (tmp_path / "usr/local/libexec").mkdir(parents=True)
    (tmp_path / "find").write_text("#!/bin/sh\nexit 1\n")
    (tmp_path / "find").chmod(0o755)
    assert listed(tmp_path).returncode == 1


def test_a_host_that_does_not_tell_is_not_called_clean() -> None:
    with pytest.raises(Refused, match="host: could not be inspected"):
        told(WELL, status=124)


def test_a_page_that_left_the_runbook_is_a_finding_and_what_it_left_can_be_told() -> None:
    assert list(unmanaged.retired({"PLAT_90"})) == [
        Finding(
            "page",
            "PLAT_90",
            "has passed on this host, and the runbook does not have it",
            "sudo rm -f /var/lib/motorcade/steps/PLAT_90.json /var/lib/motorcade/steps/PLAT_90.red",
        )
    ]
    assert (runbook.has("PLAT_90"), runbook.has("PLAT_08"), runbook.has("RESTORE")) == (False, True, True)
