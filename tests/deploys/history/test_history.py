"""What a release was: written once from what is committed, and any later change of it is found."""

import json
import os
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from deploys.history import history
from deploys.kit import git, strict_yaml
from deploys.kit.errors import Refused
from deploys.kit.facts import digest
from deploys.kit.operations import image
from deploys.kit.plan import manifest, pins, services
from deploys.services.leadgen import leadgen
from deploys.services.redis import REDIS

RUNTIME = (Path(__file__).parents[3] / "requirements/runtime.txt").read_text(encoding="utf-8")
THREE = ".".join("888")
IMAGES = [service.name for service in services.every() if service.recipe]


def block(service: str) -> str:
    """A service's block of the manifest: full versions, and a tag of its own."""
    keys = [key.partition(".")[2] for key in manifest.meanings() if key.startswith(f"{service}.")]
    pins = {key: f"{service}-1" if key == "ref" else THREE for key in keys}
    pins |= {"podman": {"method": "package"}, "postgres": {"version": "17.10"}}.get(service, {})
    packaged = {key: pin for key, pin in pins.items() if service != "podman" or key in ("method", "version")}
    return f"{service}:\n" + "".join(f"  {key}: {pin}\n" for key, pin in packaged.items())


TODAY = datetime.now(UTC).date()
MANIFEST = f"release: prod-2\nbase:\n  method: archive\n  sha256: {'5a' * 32}\n  refreshed: {TODAY}\n" + "".join(
    block(service.name) for service in services.every() if service.pinned
)
FILES = {
    "CHANGELOG.md": "# Changelog\n\n## Unreleased\n\n### Added\n\n- A worker.\n\n## 0.1 - 2026-11-20\n\n- All.\n",
    **{f"containers/{name}/Containerfile": f"FROM {name}\n" for name in IMAGES},
    "leadgen/api.py": "PORT = 8000\n",
    "pyproject.toml": "[project]\n",
    "releases/prod.yaml": MANIFEST,
    "requirements/runtime.txt": RUNTIME,
}
KEPT = Path("releases/history/prod-2.yaml")
PARTS = Path("releases/history/prod-2.cdx.json")


@pytest.fixture(autouse=True)
def repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A repository with a tag for each image, whose one commit is what prod-2 will be."""
    monkeypatch.chdir(tmp_path)
    for role in ("AUTHOR", "COMMITTER"):
        monkeypatch.setenv(f"GIT_{role}_NAME", "t")
        monkeypatch.setenv(f"GIT_{role}_EMAIL", "t@example.invalid")
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", os.devnull)
    for name, text in FILES.items():
        write(name, text)
    git.ask("init", "--quiet", "--initial-branch=main")
    commit("all")
    for name in IMAGES:
        git.ask("tag", f"{name}-1")
    return tmp_path


def write(name: str, text: str) -> None:
    Path(name).parent.mkdir(parents=True, exist_ok=True)
    Path(name).write_text(text, encoding="utf-8")


def change(path: str | Path, old: str, new: str) -> None:
    text = Path(path).read_text(encoding="utf-8")
    assert old in text
    Path(path).write_text(text.replace(old, new), encoding="utf-8")


def commit(message: str) -> None:
    git.ask("add", "--all")
    git.ask("commit", "--quiet", "--message", message)


def call(*words: str) -> Result:
    return CliRunner().invoke(history.history, words)


def kept() -> None:
    """prod-2, written and committed."""
    history.keep("prod-2")
    commit("prod-2")


def test_a_release_is_kept_with_its_pins_and_what_its_images_are_made_of() -> None:
    head = git.ask("rev-parse", "HEAD")
    assert call("keep", "prod-2").output == f"wrote {KEPT} and {PARTS}; commit both\n"
    document, faults = strict_yaml.read(KEPT.read_text(encoding="utf-8"))
    release = pins.load(Path("releases/prod.yaml"))
    built = leadgen.image_from(release, "leadgen-1")
    assert faults == {}
    assert (document["release"], document["manifest"], document["commit"]) == ("prod-2", release.sha256, head)
    assert document["pins"]["postgres"] == {"version": "17.10", "ref": "postgres-1"}
    assert document["images"]["leadgen"] == {
        "tag": built.tag,
        "version": THREE,
        "ref": "leadgen-1",
        "base": "5a" * 32,
        "refreshed": str(TODAY),
        "context": built.labels["motorcade.context"],
        "commit": head,
    }
    assert document["images"]["redis"]["tag"] == image.at(release, "redis", REDIS.pin(release)).tag
    assert document["lock"] == digest(RUNTIME)
    assert document["sbom"] == digest(PARTS.read_bytes())
    assert json.loads(PARTS.read_bytes())["metadata"]["component"]["version"] == built.release


@pytest.mark.parametrize(("age", "kept"), [(35, True), (36, False), (-1, False)])
def test_images_with_old_packages_are_no_release(age: int, *, kept: bool) -> None:
    day = TODAY - timedelta(days=age)
    write("releases/prod.yaml", MANIFEST.replace(str(TODAY), str(day)))
    commit("a day")
    done = call("keep", "prod-2")
    assert (done.exit_code == 0, KEPT.exists()) == (kept, kept)
    if not kept:
        assert f"releases/prod.yaml: base.refreshed: {day} is not one of the last 35 days" in done.output


def test_the_inputs_are_those_of_the_tags_whatever_was_committed_since() -> None:
    write("requirements/runtime.txt", f"later=={1} \\\n    --hash=sha256:00\n")
    write("containers/redis/Containerfile", "FROM later\n")
    commit("later")
    kept()
    document, _ = strict_yaml.read(KEPT.read_text(encoding="utf-8"))
    assert document["lock"] == digest(RUNTIME)
    assert document["commit"] != document["images"]["redis"]["commit"] == git.ask("rev-parse", "redis-1")
    assert "later" not in PARTS.read_text(encoding="utf-8")


@pytest.mark.parametrize("committed", [False, True])
def test_the_same_call_again_writes_nothing_and_says_that_it_is_there(committed: object) -> None:
    history.keep("prod-2")
    if committed:
        commit("prod-2")
    before = (KEPT.read_bytes(), PARTS.read_bytes())
    again = call("keep", "prod-2")
    assert (again.exit_code, again.output) == (0, f"{KEPT} is there, and says the same\n")
    assert (KEPT.read_bytes(), PARTS.read_bytes()) == before


def test_a_name_that_was_used_for_something_else_is_refused() -> None:
    kept()
    change("releases/prod.yaml", "17.10", "17.11")
    commit("another pin under the same name")
    before = KEPT.read_bytes()
    again = call("keep", "prod-2")
    assert again.exit_code == 1
    assert f"{KEPT}: is of another manifest, pins, images; give releases/prod.yaml a name" in again.output
    assert KEPT.read_bytes() == before


def dirty() -> None:
    write("leadgen/api.py", "PORT = 8001\n")


def untracked() -> None:
    write("leadgen/new.py", "")


def without_an_entry() -> None:
    change("CHANGELOG.md", "- A worker.\n", "")
    commit("nothing to tell")


def without_unreleased() -> None:
    change("CHANGELOG.md", "## Unreleased", "## 0.2 - 2026-11-21")
    commit("released")


def unpinned() -> None:
    change("releases/prod.yaml", "17.10", "unpinned")
    commit("not measured")


def worktree() -> None:
    change("releases/prod.yaml", "redis-1", "worktree")
    commit("loose")


def a_branch() -> None:
    git.ask("branch", "topic")
    change("releases/prod.yaml", "redis-1", "topic")
    commit("moves")


def without_git() -> None:
    Path(".git").rename("gone")


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (dirty, "git status: there are changes that no commit holds; commit or stash them"),
        (untracked, "git status: there are changes that no commit holds; commit or stash them"),
        (
            without_an_entry,
            "CHANGELOG.md: has nothing new under Unreleased; describe there what this release changes",
        ),
        (without_unreleased, "CHANGELOG.md: has nothing new under Unreleased"),
        (unpinned, "releases/prod.yaml: postgres.version is unpinned"),
        (worktree, "releases/prod.yaml: redis.ref is 'worktree' outside the lab"),
        (a_branch, "git ref topic: "),
        (without_git, "not a git repository"),
    ],
)
def test_what_is_not_fit_to_be_kept_is_refused_and_nothing_is_written(
    spoil: Callable[[], None], said: str
) -> None:
    spoil()
    done = call("keep", "prod-2")
    assert (done.exit_code, Path("releases/history").exists()) == (1, False)
    assert said in done.output


def test_each_release_tells_something_that_the_one_before_it_did_not() -> None:
    kept()
    change("releases/prod.yaml", "release: prod-2", "release: prod-3")
    commit("a new name")
    done = call("keep", "prod-3")
    assert done.exit_code == 1
    assert "CHANGELOG.md: has nothing new under Unreleased since prod-2; describe there" in done.output
    change("CHANGELOG.md", "- A worker.\n", "- A worker.\n- A sweeper.\n")
    commit("told")
    assert call("keep", "prod-3").exit_code == 0
    commit("prod-3")
    assert call("verify").output == "releases/history: 2 releases, 0 faults\n"


def test_what_staging_told_may_be_told_again_by_prod() -> None:
    write("releases/staging.yaml", MANIFEST.replace("prod-2", "staging-2"))
    commit("staging")
    assert call("keep", "staging-2").exit_code == 0
    commit("staging-2")
    assert call("keep", "prod-2").exit_code == 0


@pytest.mark.parametrize(
    ("name", "said"),
    [
        (
            "prod-3",
            "releases/prod.yaml: describes prod-2; to keep prod-3, write `release: prod-3` there and commit it",
        ),
        ("prod-../../prod-2", "releases/prod.yaml: describes prod-2"),
        ("staging-2", "releases/staging.yaml: cannot be read"),
        ("lab-2", "lab-2: is not a release of prod or staging; name one, such as prod-2"),
        ("", ": is not a release of prod or staging"),
    ],
)
def test_a_name_that_is_not_the_manifest_s_is_refused(name: str, said: str) -> None:
    done = call("keep", name)
    assert (done.exit_code, Path("releases/history").exists()) == (1, False)
    assert said in done.output


def test_the_log_of_deploys_does_not_make_a_checkout_dirty() -> None:
    write("docs/deployments/2026-11-21.md", "# Deploys\n")
    assert call("keep", "prod-2").exit_code == 0


def test_what_is_kept_and_untouched_has_no_fault() -> None:
    assert call("verify").output == "releases/history: 0 releases, 0 faults\n"
    kept()
    done = call("verify")
    assert (done.exit_code, done.output) == (0, "releases/history: 1 releases, 0 faults\n")


def resealed(*, committed: bool) -> None:
    """Changed by somebody who knows how the seal is made."""
    text, seal, _ = KEPT.read_text(encoding="utf-8").rpartition("seal: ")
    text = text.replace("17.10", "17.11")
    KEPT.write_text(f"{text}{seal}{digest(text)}\n", encoding="utf-8")
    if committed:
        commit("as if nothing had been")


def merged() -> None:
    """Changed in a merge, which git shows in no single parent's log."""
    git.ask("checkout", "--quiet", "-b", "side", "HEAD~1")
    write("note", "")
    commit("side")
    git.ask("merge", "--quiet", "--no-commit", "main")
    resealed(committed=True)


def lost() -> None:
    KEPT.unlink()
    PARTS.unlink()
    commit("tidied")


@pytest.mark.parametrize(
    ("tamper", "found"),
    [
        (lambda: change(KEPT, "17.10", "17.11"), [f"{KEPT}: was changed", f"{KEPT}: is not what was written"]),
        (lambda: change(KEPT, "seal: ", "# seal: "), [f"{KEPT}: was changed", f"{KEPT}: is not what"]),
        (lambda: change(PARTS, "flask", "flusk"), [f"{PARTS}: was changed", f"{PARTS}: is not what was written"]),
        (lambda: resealed(committed=False), [f"{KEPT}: was changed after it was committed"]),
        (lambda: resealed(committed=True), [f"{KEPT}: was changed after it was committed"]),
        (merged, [f"{KEPT}: was changed after it was committed"]),
        (lost, [f"{PARTS}: was changed", f"{KEPT}: was changed"]),
        (PARTS.unlink, [f"{PARTS}: was changed", f"{PARTS}: is gone"]),
        (lambda: git.ask("tag", "-f", "redis-1", "HEAD"), [f"{KEPT}: redis's tag redis-1 has moved since"]),
        (lambda: git.ask("tag", "-d", "redis-1"), [f"{KEPT}: redis's tag redis-1 is not in this checkout"]),
    ],
    ids="pin seal sbom resealed committed merged lost half tag-moved tag-lost".split(),
)
def test_each_way_to_change_what_was_kept_is_found(tamper: Callable[[], object], found: list[str]) -> None:
    kept()
    tamper()
    done = call("verify")
    assert done.exit_code == 1
    *faults, last = done.output.splitlines()
    assert [wanted for fault, wanted in zip(faults, found, strict=True) if not fault.startswith(wanted)] == []
    assert last.endswith(f"{len(found)} faults")


def test_verify_without_git_says_so_and_passes_nothing() -> None:
    kept()
    without_git()
    assert call("verify").exit_code == 1


def test_git_s_own_words_are_told() -> None:
    with pytest.raises(Refused, match=r"^git rev-parse: fatal: .*; run it in a full checkout$"):
        git.ask("rev-parse", "--verify", "refs/tags/none")
    without_git()
    with pytest.raises(Refused, match=r"^git log: .*not a git repository"):
        git.ask("log")


def test_entries_are_counted_under_unreleased_only() -> None:
    assert history.unreleased(FILES["CHANGELOG.md"]) == ["A worker."]
    assert history.unreleased("# Changelog\n\n## Unreleased\n\n- One,\n  in two lines.\n- Two.\n") == [
        "One,",
        "Two.",
    ]
    assert history.unreleased("# Changelog\n\n## 0.1\n\n- Old.\n") == []
