"""A service that was added to a copy of this repository runs: green, again nothing to do, and no drift."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.lab import runs
from tests.lab.archives import upstream_version
from tests.lab.deploying import record
from tests.lab.host import Host
from tests.new_service import copied_tree

PACKAGE = "busybox"
APT_SECONDS = 300


@dataclass(frozen=True)
class Place:
    """The copy of the repository, and a host that it deploys to."""

    copy: Path
    host: Host

    def call(self, *words: str) -> subprocess.CompletedProcess[str]:
        """In the copy, with the copy's own kit."""
        return subprocess.run(
            words,
            cwd=self.copy,
            env={**os.environ, "PYTHONPATH": str(self.copy)},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=runs.RUN_SECONDS,
            check=False,
        )

    def deploy(self) -> dict[str, Any]:
        """The page of the new service; what the host's record says of the run."""
        done = self.call(*runs.words(self.host.name, ["plat_90"], {}, ()))
        assert done.returncode == 0, done.stdout + done.stderr
        return record(self.host)[-1]


@pytest.fixture(scope="module")
def place(lab: Callable[..., Host], tmp_path_factory: pytest.TempPathFactory) -> Place:
    """With all that `make lab` would give a host of the copy: the new pin measured, the new secret made."""
    host = lab("platform")  # with all pages: before one has run, drift has nothing removed
    copy = tmp_path_factory.mktemp("copy")
    copied_tree.copy(copy)
    copied_tree.add_service(copy)
    own = copy / ".lab" / host.name
    shutil.copytree(host.directory, own, ignore=shutil.ignore_patterns("root", "*.img", "store", "*.log"))
    release = yaml.safe_load((own / "release.yaml").read_text(encoding="utf-8"))
    shown = host.root(
        f"apt-get update --quiet=2 && apt-cache show --no-all-versions {PACKAGE}", seconds=300
    ).stdout
    release["herald"] = {"version": upstream_version(shown), "ref": "worktree"}
    (own / "release.yaml").write_text(yaml.safe_dump(release, sort_keys=False), encoding="utf-8")
    copied_tree.run(
        copy, "-m", "deploys.kit.secrets", "rotate", "--directory", str(own / "secrets"), "lab", "herald-password"
    )
    return Place(copy, host)


def test_its_page_is_green_and_again_changes_nothing(place: Place, times: dict[str, float]) -> None:
    first = place.deploy()
    assert (first["event"], first["pages"]) == ("OK", ["PLAT_90"])
    assert first["changed"] > 0
    times["PLAT_90, a service that was just added"] = first["seconds"]
    again = place.deploy()
    assert (again["event"], again["changed"]) == ("OK", 0)


def test_the_new_service_is_no_drift_until_its_unit_is_changed_by_hand(place: Place) -> None:
    assert drift(place) == []
    unit = "/etc/containers/systemd/motorcade-herald.container"
    place.host.root(f"sed -i s/TasksMax=64/TasksMax=65/ {unit}")
    found = drift(place)
    assert {finding["kind"] for finding in found} == {"file", "page"}
    assert unit in {finding["where"] for finding in found}


def test_a_service_that_left_the_repository_is_gone_from_the_host_after_what_drift_says(place: Place) -> None:
    copied_tree.remove_service(place.copy)
    own = place.copy / ".lab" / place.host.name
    release = yaml.safe_load((own / "release.yaml").read_text(encoding="utf-8"))
    del release["herald"]
    (own / "release.yaml").write_text(yaml.safe_dump(release, sort_keys=False), encoding="utf-8")
    (own / "secrets/herald-password.age").unlink()
    rotated = own / "secrets/manifest.yaml"
    lines = rotated.read_text(encoding="utf-8").splitlines(keepends=True)
    rotated.write_text("".join(line for line in lines if "herald-password" not in line), encoding="utf-8")
    found = drift(place)
    assert {(finding["kind"], finding["where"]) for finding in found} == {
        ("file", "/etc/containers/systemd/motorcade-herald.container"),
        ("container", "motorcade-herald"),
        ("page", "PLAT_90"),
    }
    for finding in found:
        place.host.root(finding["remedy"])
    assert drift(place) == []
    left = "systemctl list-units --all --no-legend '*herald*'; podman ps --all --quiet --filter name=herald"
    assert place.host.root(left).stdout == ""


def drift(place: Place) -> list[dict[str, str]]:
    words = ("-m", "deploys.drift", "inventories/lab.py", "--limit", place.host.name, "--json")
    (looked,) = json.loads(place.call(sys.executable, *words).stdout)
    assert looked["unseen"] == [], looked
    found: list[dict[str, str]] = looked["findings"]
    return found
