"""What a new service takes: one is added to a copy of this repository, and the files it touches are counted."""

from pathlib import Path

import pytest

from tests.new_service import copied_tree

MOST = 12
# Outside the service's own folders, and why each of them.
AROUND = {
    "CHANGELOG.md": "what an operator notices",
    "deploys/kit/plan/runbook.py": "where its page stands in the order",
    "deploys/plat_90.py": "its page",
    "docs/RESOURCES.md": "its unit",
    "docs/RUNBOOK.md": "written by `make runbook`",
    "docs/reference/releases.md": "its pin",
    "docs/services/herald.md": "for the operator",
    "group_data/all.py": "its setting",
    "releases/lab.yaml": "its pin",
    "releases/prod.yaml": "its pin",
    "releases/staging.yaml": "its pin",
    "tests/lab/test_herald.py": "runs the commands of its page",
}
# What would notice a list of services that the new one is not in.
TESTS = (
    "tests/conventions",
    "tests/deploys/history/test_history.py",
    "tests/deploys/kit/plan/test_declared_services.py",
    "tests/deploys/kit/plan/test_runbook.py",
    "tests/deploys/kit/plan/test_settings.py",
    "tests/deploys/kit/secrets/test_secret_manifest.py",
    "tests/deploys/services/herald",
)


@pytest.fixture(scope="module")
def copy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    target = tmp_path_factory.mktemp("copy")
    copied_tree.copy(target)
    copied_tree.add_service(target)
    return target


def test_a_new_service_touches_few_files_outside_its_own_folders(copy: Path) -> None:
    touched = {path for path in copied_tree.touched(copy) if not path.startswith(copied_tree.own_folders())}
    assert len(touched) <= MOST
    assert touched == set(AROUND)


def test_with_the_new_service_the_copy_keeps_every_convention(copy: Path) -> None:
    copied_tree.run(copy, "-m", "pytest", "-q", "-n", "0", "-p", "no:cacheprovider", *TESTS)


def test_without_its_line_in_a_manifest_the_new_service_is_missed(copy: Path) -> None:
    found = copied_tree.run(
        copy,
        "-c",
        "import yaml; from deploys.kit.plan import manifest;"
        "document = yaml.safe_load(open('releases/lab.yaml')); del document['herald'];"
        "print(manifest.faults(document)['herald'])",
    )
    assert found.strip() == "is missing"
