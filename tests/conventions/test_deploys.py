"""Deploy pages: seven parts in one order, built from the kit only; explained settings; one name for a host."""

import re
import sys
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path

import pytest
from pyinfra.connectors.ssh import ConnectorData

from deploys.kit.plan import entry, settings
from tests.conventions.structure import imports

PARTS = ["What", "Pins", "Preconditions", "Backup", "Operations", "Verify", "Record"]
# Library -> where in deploys/ it may be imported; a prefix opens a folder.
HOMES = {
    "click": (
        "block",
        "checkpoint",
        "drift",
        "history/history",
        "kit/run/journal",
        "kit/run/record",
        "kit/secrets/",
        "packages",
        "status",
    ),
    "cyclonedx": ("history/sbom",),
    "gevent": ("kit/run/journal", "kit/run/session", "kit/run/signals"),
    "jinja2": ("inspect/status_page", "kit/operations/hostfiles"),
    "leadgen": ("services/leadgen/",),  # keys are judged, and leads made, by whoever will read them
    "marshmallow": ("kit/plan/manifest", "kit/plan/pin"),
    "packageurl": ("history/sbom",),
    "packaging": ("history/sbom",),
    "paramiko": ("kit/run/journal",),
    "pyinfra": ("",),
    "pyinfra_cli": ("inspect/connection",),
    "pyrage": ("kit/secrets/",),
    "rich": ("status",),
    "typing_extensions": ("inspect/", "kit/"),
    "yaml": ("kit/strict_yaml",),
}


def parts(page: str) -> list[str]:
    """The parts that a page's comments open, in order."""
    return re.findall(rf"^# ({'|'.join(PARTS)})\b", page, re.MULTILINE)


def library_faults(path: str, source: str) -> list[str]:
    """Libraries that are imported outside their home."""
    inside = path.removeprefix("deploys/").removesuffix(".py")
    packages = {name.partition(".")[0] for name in imports(source)} - {"deploys"} - set(sys.stdlib_module_names)
    return [
        f"{path}: may not import {package}"
        for package in sorted(packages)
        if not any(inside.startswith(home) for home in HOMES.get(package, ()))
    ]


def unexplained(settings: str) -> list[str]:
    """Settings of group_data/all.py without a comment on their line or above them."""
    lines = ["", *settings.splitlines()]
    names = [(above, line) for above, line in pairwise(lines) if re.match(r"\w+ = ", line)]
    return [line for above, line in names if "#" not in line and not above.startswith("#") and " = " not in above]


def unknown_groups(inventory: str) -> set[str]:
    """Public names of an inventory that are none of the groups that pages ask for."""
    names = set(re.findall(r"^([a-z]\w*) = ", inventory, re.MULTILINE))
    return names - {entry.WHOLE, *entry.GROUPS}


def test_every_page_has_its_seven_parts_in_order(texts: Callable[[str], dict[str, str]]) -> None:
    pages = {path: page for path, page in texts("deploys/*.py").items() if re.search(r"/(plat|leadgen)_\d", path)}
    assert len(pages) >= 6, "the pattern must still find the pages"
    assert {path: parts(page) for path, page in pages.items()} == dict.fromkeys(pages, PARTS)


def test_a_page_with_parts_missing_or_in_another_order_is_found() -> None:
    assert parts("# What\n# Pins: none\n# Backup\nx = 1  # Verify\n# Whatever\n") == ["What", "Pins", "Backup"]


def test_libraries_are_imported_in_their_home_only(texts: Callable[[str], dict[str, str]]) -> None:
    sources = texts("deploys/*.py")
    assert [fault for path, source in sources.items() for fault in library_faults(path, source)] == []
    used = {
        (name.partition(".")[0], path.removeprefix("deploys/").removesuffix(".py"))
        for path, source in sources.items()
        for name in imports(source)
    }
    idle = {
        (library, home)
        for library, homes in HOMES.items()
        for home in homes
        if not any(library == name and inside.startswith(home) for name, inside in used)
    }
    assert idle == set()


@pytest.mark.parametrize(
    ("path", "source"),
    [("deploys/plat_01.py", "import yaml"), ("deploys/kit/operations/gate.py", "from leadgen.store import roles")],
)
def test_a_library_outside_its_home_is_found(path: str, source: str) -> None:
    assert library_faults(path, source) != []


def test_every_setting_of_a_host_is_explained(texts: Callable[[str], dict[str, str]]) -> None:
    (settings,) = texts("group_data/all.py").values()
    assert unexplained(settings) == []
    assert unexplained("a = 1  # why\n# why\nb = 2\n\nc = 3\n") == ["c = 3"]


def test_an_environment_sets_only_what_the_kit_or_a_service_reads(texts: Callable[[str], dict[str, str]]) -> None:
    for path, text in texts("group_data/*.py").items():
        known = settings.names() | ConnectorData.__annotations__.keys()
        assert set(re.findall(r"^([a-z]\w*) = ", text, re.MULTILINE)) - known == set(), path


def test_an_inventory_names_known_groups_only(texts: Callable[[str], dict[str, str]]) -> None:
    """A misspelt group would leave its host in all three, and every page on it."""
    for path, text in texts("inventories/*.py").items():
        assert unknown_groups(text) == set(), path
    assert unknown_groups("from x import Y\n_file = 1\nplatform = []\ndatabse = []\n") == {"databse"}


def test_the_name_that_is_no_host_stands_nowhere(project: Path, paths: list[str]) -> None:
    name = b"motorcade" + b"_web"
    assert [path for path in paths if name in (project / path).read_bytes()] == []
