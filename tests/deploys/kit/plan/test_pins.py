"""The manifest: loaded as it was written, or refused with every fault in one error."""

import hashlib
import string
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from deploys.kit.errors import Refused
from deploys.kit.plan import manifest, pins, services
from deploys.services.podman import PODMAN
from deploys.services.postgres import POSTGRES

RELEASES = Path(__file__).parents[4] / "releases"
MEASURED = {
    "archive": "https://example.com/podman/static-amd64.tar.gz",
    "sha256": "0123456789abcdef" * 4,
    "signature": "static-amd64.tar.gz.asc",
    "key": "podman.asc",
    "image": "registry.example.com:5000/library/debian",
    "version": ".".join("888"),
    "ref": "postgres-17.10-1",
    "python": ".".join("888"),
    "postgres.version": "17.10",
    "refreshed": "2026-11-27",
}


def measured(name: str) -> str:
    """A manifest of ours, its open pins filled with made-up values."""
    lines = (RELEASES / f"{name}.yaml").read_text(encoding="utf-8").splitlines()
    filled, piece = [], ""
    for line in lines:
        key, _, rest = line.partition(": ")
        piece = line.rstrip(":") if line.endswith(":") else piece
        pinned = rest.startswith("unpinned") and not line.startswith("#")
        made_up = MEASURED.get(f"{piece}.{key.strip()}") or MEASURED.get(key.strip())
        filled.append(f"{key}: {made_up}" if pinned else line)
    return "\n".join(filled) + "\n"


PROD, LAB = measured("prod"), measured("lab")


def loaded(text: str | bytes) -> pins.Release:
    with tempfile.NamedTemporaryFile(suffix=".yaml") as file:
        file.write(text.encode() if isinstance(text, str) else text)
        file.flush()
        return replace(pins.load(Path(file.name)), path=Path("release.yaml"))


def refusal(text: str | bytes) -> str:
    with pytest.raises(Refused) as refused:
        loaded(text)
    return str(refused.value)


def documented(text: str) -> dict[str, Any]:
    found: dict[str, Any] = yaml.load(text, Loader=yaml.BaseLoader)  # noqa: S506 - this loader makes nothing but text
    return found


def changed(text: str, key: str, value: object) -> str:
    """The manifest with one value written another way."""
    document = documented(text)
    *path, last = key.split(".")
    target = document[path[0]] if path else document
    target[last] = value
    return yaml.safe_dump(document)


def pieces(release: pins.Release) -> dict[str, Any]:
    """What a release says, without its file."""
    return {
        "release": release.name,
        **{
            piece: {key: value for key, value in vars(found).items() if value}
            for piece, found in {"base": release.base, **release.pins}.items()
        },
    }


def leaves(text: str) -> list[str]:
    return [
        f"{key}.{inner}" if inner else key
        for key, value in documented(text).items()
        for inner in (value if isinstance(value, dict) else [""])
    ]


def test_a_complete_manifest_loads_as_it_was_written() -> None:
    release = loaded(PROD)
    assert pieces(release) == documented(PROD)
    assert POSTGRES.pin(release).version == "17.10"
    assert release.sha256 == hashlib.sha256(PROD.encode()).hexdigest()
    assert (release.environment, loaded(LAB).environment) == ("prod", "lab")


def test_a_key_of_the_other_method_is_left_empty() -> None:
    lab = loaded(LAB)
    podman = PODMAN.pin(lab)
    assert (podman.archive, podman.key, lab.base.image) == ("", "", "")


@pytest.mark.parametrize("name", ["prod", "staging"])
def test_what_nobody_has_measured_is_listed_whole_with_how_to_measure_it(name: str) -> None:
    path = RELEASES / f"{name}.yaml"
    with pytest.raises(Refused) as refused:
        pins.load(path)
    first, *remedies = str(refused.value).splitlines()
    unpinned = [key for key in leaves(path.read_text(encoding="utf-8")) if ".method" not in key]
    keys = [key for key in manifest.meanings() if key in unpinned and key not in ("release", "podman.version")]
    assert len(keys) > 10
    assert first == (
        f"{path}: {', '.join(f'{key} is unpinned' for key in keys)}; "
        "write what belongs there (docs/reference/releases.md says more)"
    )
    assert remedies == [f"  {key}: {manifest.meanings()[key]}" for key in keys]


def test_the_lab_leaves_open_only_what_its_mirror_decides() -> None:
    with pytest.raises(Refused) as refused:
        pins.load(RELEASES / "lab.yaml")
    told = str(refused.value).splitlines()[0]
    measured = [f"{one.name}.{key}" for one in services.every() if one.pinned for key in one.pinned.measured]
    assert told.endswith(
        f"lab.yaml: {', '.join(f'{key} is unpinned' for key in ['base.sha256', *measured])}; "
        "write what belongs there (docs/reference/releases.md says more)"
    )


@pytest.mark.parametrize(
    ("key", "value", "fault"),
    [
        ("release", "production", "release is 'production'"),
        ("release", "", "release is empty"),
        ("podman.version", "5.7", "podman.version is '5.7'"),
        ("podman.version", ["5"], "podman.version is no single value"),
        ("podman.method", "magic", "podman.method is 'magic'"),
        ("podman.method", "unpinned", "podman.method is unpinned"),
        ("podman.method", {"a": "b"}, "podman.method is no single value"),
        ("podman.archive", "http://example.com/a.tar.gz", "podman.archive is 'http://example.com/a.tar.gz'"),
        ("podman.archive", "../a.tar.gz", "podman.archive is '../a.tar.gz'"),
        ("podman.key", "https://example.com/key.asc", "podman.key is 'https://example.com/key.asc'"),
        ("base", "debian", "base holds no keys"),
        ("base.image", "debian", "base.image is 'debian'"),
        ("base.image", "registry.example.com/debian:13", "base.image is 'registry.example.com/debian:13'"),
        ("base.sha256", "sha256:" + "0" * 64, "base.sha256 is 'sha256:"),
        ("base.sha256", "0" * 63, "base.sha256 is '000"),
        ("base.refreshed", "27-11-2026", "base.refreshed is '27-11-2026'"),
        ("base.refreshed", "2026-11-31", "base.refreshed is '2026-11-31', a day that no month has"),
        ("base.tag", "13", "base.tag is no key of a manifest"),
        ("apache", {"version": "1.26"}, "apache is no key of a manifest"),
        ("postgres", [], "postgres holds no keys"),
        ("postgres.version", "17", "postgres.version is '17'"),
        ("postgres.version", "17.6-0+deb13u1", "postgres.version is '17.6-0+deb13u1'"),
        ("postgres.ref", "HEAD", "postgres.ref is 'HEAD'"),
        ("postgres.ref", "a;reboot", "postgres.ref is 'a;reboot'"),
        ("postgres.ref", "a..b", "postgres.ref is 'a..b'"),
        ("postgres.ref", "--output=x", "postgres.ref is '--output=x'"),
        ("postgres.ref", "worktree", "postgres.ref is 'worktree' outside the lab"),
    ],
)
def test_a_value_that_is_no_such_pin_is_refused_by_its_key(key: str, value: object, fault: str) -> None:
    said = refusal(changed(PROD, key, value))
    assert f".yaml: {fault}" in said
    assert f"\n  {key}: " in said


@pytest.mark.parametrize("key", leaves(PROD))
def test_a_key_that_is_missing_is_named(key: str) -> None:
    document = documented(PROD)
    piece, _, inner = key.partition(".")
    del (document[piece] if inner else document)[inner or piece]
    assert f".yaml: {key} is missing; " in refusal(yaml.safe_dump(document))


@pytest.mark.parametrize("key", ["archive", "sha256", "signature", "key"])
def test_a_locked_podmans_keys_do_not_belong_to_a_package(key: str) -> None:
    assert f"podman.{key} is no key of a manifest" in refusal(changed(LAB, f"podman.{key}", MEASURED[key]))


def test_every_fault_stands_in_one_error() -> None:
    text = changed(changed(changed(PROD, "podman.sha256", "unpinned"), "postgres.ref", "worktree"), "extra", "1")
    text = text.replace("  method: registry\n", "  method: registry\n  method: archive\n")
    said = refusal(changed(text, "release", "prod")) + refusal(text)
    assert "podman.sha256 is unpinned" in said
    assert "postgres.ref is 'worktree' outside the lab" in said
    assert "extra is no key of a manifest" in said
    assert "base.method stands twice, again in line" in said
    assert "  base.method: one of the two" in said
    assert "  extra: nothing, take it out" in said


def test_the_worktree_is_the_labs_alone() -> None:
    assert POSTGRES.pin(loaded(LAB)).ref == "worktree"
    assert "outside the lab" in refusal(LAB.replace("release: lab", "release: staging-3"))
    assert "outside the lab" in refusal(LAB.replace("release: lab", "release: laboratory"))


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (b"", "holds no keys"),
        (b"# nothing yet\n", "holds no keys"),
        (b"- release\n", "holds no keys"),
        (b"release: {\n", "line 2: while parsing a flow node expected the node content"),
        (b"release: lab\nbase: &b {}\npodman: *b\n", "line 2: anchors and aliases are not read here"),
        (b"release: !!python/name:os.system lab\n", "line 1: tags are not read here"),
        (b"release: lab\n---\nrelease: prod\n", "line 2: expected a single document"),
        (b"? [release]\n: lab\n", "line 1 has a key that is not plain text"),
        (b"<<: {release: lab}\n", "<< is no key of a manifest"),
        (b"release: lab\x00\n", "unacceptable character"),
        (b"release: l\xe4b\n", "byte 10 is not UTF-8"),
        (b"[" * 5000 + b"\n", "expected the node content"),
        (PROD.encode().rstrip(), "does not end with a newline"),
    ],
)
def test_what_is_no_manifest_is_refused_with_its_place(text: bytes, said: str) -> None:
    assert said in refusal(text)


def test_a_file_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(Refused) as refused:
        pins.load(tmp_path / "release.yaml")
    assert str(refused.value) == (
        f"{tmp_path}/release.yaml: cannot be read (No such file or directory); "
        "docs/reference/releases.md shows one"
    )


@pytest.mark.parametrize("text", [PROD, LAB], ids=["prod", "lab"])
def test_a_manifest_cut_off_anywhere_is_refused_or_loads_equal(text: str) -> None:
    whole = pieces(loaded(text))
    refused = 0
    for length in range(len(text)):
        try:
            assert pieces(loaded(text[:length])) == whole
        except Refused:
            refused += 1
    assert refused == len(text)


VALUES = st.one_of(
    st.text(max_size=70),
    st.text(string.ascii_lowercase + string.digits + "./-:", max_size=70),
    st.integers(),
    st.floats(allow_nan=False),
    st.booleans(),
    st.none(),
    st.lists(st.text(max_size=3), max_size=2),
    st.dictionaries(st.sampled_from(["method", "version", "x"]), st.text(max_size=9), max_size=2),
)


@pytest.mark.parametrize("key", leaves(PROD))
@given(value=VALUES)
def test_a_value_of_any_kind_is_refused_by_its_key_or_loads_as_it_was_written(key: str, value: object) -> None:
    text = changed(PROD, key, value)
    try:
        found = pieces(loaded(text))
    except Refused as error:
        # Another valid method asks for other keys beside it, so the refusal may name those.
        piece = key.partition(".")[0] if key.endswith(".method") else f"{key} "
        assert f".yaml: {piece}" in str(error).splitlines()[0]  # noqa: PT017 - either outcome is right, on its terms
    else:
        assert found == documented(text)


@given(
    name=st.text(string.ascii_letters + "_", min_size=1, max_size=12),
    piece=st.sampled_from(["", "podman", "base"]),
)
def test_a_key_of_any_name_is_refused_by_it(name: str, piece: str) -> None:
    key = f"{piece}.{name}".lstrip(".")
    if key not in leaves(PROD) and key not in documented(PROD):
        assert f".yaml: {key} is no key of a manifest" in refusal(changed(PROD, key, "1"))


def test_every_key_has_its_line_in_the_reference() -> None:
    page = (RELEASES.parent / "docs/reference/releases.md").read_text(encoding="utf-8")
    named = {line.split("`")[1] for line in page.splitlines() if line.startswith("| `")}
    assert named == {key for key in manifest.meanings() if "." in key or key == "release"}
