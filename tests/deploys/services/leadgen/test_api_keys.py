"""API keys on their way to a host: judged at load as the intake judges them, and no key in any text."""

import subprocess
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pyrage
import pytest
from pyinfra.context import ctx_host

from deploys.kit import secrets
from deploys.kit.errors import Refused
from deploys.kit.facts import Answer
from deploys.services.leadgen import api_keys, leadgen
from leadgen.domain import api_key
from leadgen.domain.synthetic import CLIENT_ID
from tests.deploys.known_host import KnownHost, Page

SCOPES = frozenset({"intake"})
PROBE_KEY, PROBE_LINE = api_key.mint(CLIENT_ID, SCOPES, None)
WORDPRESS_KEY, WORDPRESS_LINE = api_key.mint("wordpress", SCOPES, None)
FORM_KEY, FORM_LINE = api_key.mint("form", SCOPES, None)
SITE_KEY, SITE_LINE = api_key.mint("site", api_key.SCOPES, None)


def vault_of(folder: Path, lines: str, probe: str = PROBE_KEY, site: str = SITE_KEY) -> Page:
    identity = pyrage.x25519.Identity.generate()
    (folder / "manifest.yaml").write_text("# days\n")
    made = secrets.generate_all(folder / "secrets", folder / "manifest.yaml", [str(identity.to_public())])
    made.store(api_keys.KEYS, lines)
    made.store(api_keys.PROBE, probe)
    made.store(api_keys.SITE, site)
    (folder / "identity").write_text(f"{identity}\n")
    (folder / "identity").chmod(0o600)
    return Page(secrets_directory=made.directory, age_identity=folder / "identity")


def text_of(folder: Path, lines: str, probe: str = PROBE_KEY) -> str:
    return api_keys.file(vault_of(folder, lines, probe)).content  # type: ignore[arg-type]  # what is used of a page


@pytest.mark.parametrize("between", [";", " ; ", ";;"])
def test_the_lines_of_the_vault_the_probes_and_the_sites_are_what_the_intake_reads(
    tmp_path: Path, between: str
) -> None:
    text = text_of(tmp_path, f"{WORDPRESS_LINE}{between}{FORM_LINE};")
    ring = api_key.KeyRing.load(text)
    assert [entry.client.client_id for entry in ring] == ["wordpress", "form", CLIENT_ID, "site"]
    assert all(ring.client_for(key, datetime.now(UTC)) for key in (PROBE_KEY, WORDPRESS_KEY, FORM_KEY, SITE_KEY))
    scopes = {entry.client.client_id: entry.client.scopes for entry in ring}
    assert scopes["site"] == {"intake"}
    assert scopes[CLIENT_ID] == {"intake"}


def test_the_file_holds_no_key_and_only_the_intake_may_read_it(tmp_path: Path) -> None:
    file = api_keys.file(vault_of(tmp_path, WORDPRESS_LINE, PROBE_KEY))  # type: ignore[arg-type]  # as above
    assert (file.path, file.mode, file.owner, file.group) == (api_keys.FILE, "640", "root", leadgen.USER)
    for key in (PROBE_KEY, WORDPRESS_KEY, SITE_KEY):
        assert key not in file.content
        assert key.split("_")[2] not in file.content


@pytest.mark.parametrize(
    ("lines", "what"),
    [
        (f"{WORDPRESS_LINE};{FORM_LINE} extra", "line 2: it has 6 words instead of 5"),
        (f"{WORDPRESS_LINE};{FORM_KEY}", "line 2: it has 1 words instead of 5"),
        (f"{WORDPRESS_LINE};{WORDPRESS_LINE}", "line 2: it repeats the key id of an earlier line"),
        (WORDPRESS_LINE.replace(" intake ", " admin "), "line 1: it has a scope that is not one of: intake"),
    ],
    ids=["a word too many", "a key in a line's place", "twice", "scope"],
)
def test_a_bad_line_is_refused_by_its_number_and_never_repeated(tmp_path: Path, lines: str, what: str) -> None:
    with pytest.raises(Refused) as refused:
        text_of(tmp_path, lines)
    assert f"{api_keys.KEYS}.age, {what}" in str(refused.value)
    assert "deploys.kit.secrets set" in str(refused.value)
    for secret in (FORM_KEY, *lines.split(";")):
        assert secret not in str(refused.value)


def test_a_probe_key_that_is_none_is_refused_and_not_repeated(tmp_path: Path) -> None:
    typo = PROBE_KEY[:-1] + ("a" if PROBE_KEY[-1] != "a" else "b")
    with pytest.raises(Refused, match=r"leadgen-probe-key\.age: is not an API key; set what") as refused:
        text_of(tmp_path, WORDPRESS_LINE, typo)
    assert typo not in str(refused.value)


def test_without_a_key_of_the_site_the_refusal_names_the_commands_that_make_one(tmp_path: Path) -> None:
    page = vault_of(tmp_path, WORDPRESS_LINE)
    (tmp_path / "secrets/leadgen-site-key.age").unlink()
    for ask in (api_keys.file, api_keys.knows_site):
        with pytest.raises(Refused) as refused:
            ask(page)  # type: ignore[arg-type]  # as above
        assert str(refused.value).endswith(
            "leadgen-site-key.age: no such file; enter what `leadgen keys new --client site` prints"
            " (python -m deploys.kit.secrets set)"
        )


def test_a_site_key_that_is_none_is_refused_and_not_repeated(tmp_path: Path) -> None:
    with pytest.raises(
        Refused, match=r"leadgen-site-key\.age: is not an API key; set what `leadgen keys"
    ) as refused:
        api_keys.knows_site(vault_of(tmp_path, WORDPRESS_LINE, site=SITE_LINE))  # type: ignore[arg-type]  # as above
    assert SITE_LINE not in str(refused.value)


def test_an_edge_gets_a_key_only_when_the_intake_beside_it_knows_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "api-keys"
    monkeypatch.setattr(api_keys, "FILE", str(file))
    page = vault_of(tmp_path, f"{WORDPRESS_LINE};{SITE_LINE}", site=api_key.mint("site", api_key.SCOPES, None)[0])

    def look() -> tuple[int, str]:
        script = api_keys.knows_site(page)  # type: ignore[arg-type]  # as above
        done = subprocess.run(["sh", "-c", script], capture_output=True, text=True, timeout=10, check=False)
        return done.returncode, done.stdout

    assert look() == (0, ""), "the intake is on another host"
    file.write_text(f"{WORDPRESS_LINE}\n{SITE_LINE}\n")
    assert look() == (1, f"{file}: does not have the site's key of the vault; run deploys/leadgen_06.py first\n")
    file.write_text(api_keys.file(page).content)  # type: ignore[arg-type]  # as above
    assert look() == (0, ""), "beside the former key, which is still known while the edge changes over"


def test_a_line_of_the_probes_client_belongs_to_the_probe_alone(tmp_path: Path) -> None:
    _, foreign = api_key.mint(CLIENT_ID, SCOPES, None)
    with pytest.raises(Refused, match=r"leadgen-api-keys\.age: contains a key of motorcade-probe; remove it"):
        text_of(tmp_path, f"{WORDPRESS_LINE};{foreign}")


@pytest.mark.parametrize("owned", [True, False], ids=["LEADGEN_06", "PLAT_04"])
def test_one_page_owns_the_file_and_the_other_lends_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, owned: bool
) -> None:
    page = vault_of(tmp_path, WORDPRESS_LINE, PROBE_KEY)
    asked: list[str] = []
    monkeypatch.setattr("deploys.kit.operations.hostfiles._place", lambda **values: asked.append(values["name"]))
    monkeypatch.setattr("deploys.kit.secrets.delivery._deliver", lambda **values: asked.append(values["name"]))
    with ctx_host.use(KnownHost()):
        api_keys.deliver(page, owned=owned)  # type: ignore[arg-type]  # as above
    assert set(page.owned) == ({api_keys.FILE} if owned else set())
    assert f"secret {api_keys.PROBE}" in page.used
    assert asked == ["PLAT_99 | secrets", "PLAT_99 | API keys"]
    assert not any(PROBE_KEY in str(text) or WORDPRESS_KEY in str(text) for text in page.used.values())


def told_of(*lines: str, status: int = 0) -> list[str]:
    host: Any = KnownHost(probes={api_keys.FILE: Answer(status, list(lines))})
    return api_keys.ending(host, days=14)


def test_keys_that_have_expired_or_will_soon_are_told_by_their_id() -> None:
    now = datetime.now(UTC).replace(microsecond=0)
    lines = [api_key.mint("form", SCOPES, now + timedelta(days=days))[1] for days in (-1, 13, 15)]
    expired, soon = told_of(*lines, PROBE_LINE)
    assert expired == (
        f"API key {lines[0].split()[0]}: of form expired at {lines[0].split()[4]};"
        " docs/runbooks/rotate-an-api-key.md"
    )
    assert f"API key {lines[1].split()[0]}: of form expires at " in soon


def test_a_host_without_keys_has_none_that_end_and_a_file_that_is_not_theirs_is_told() -> None:
    assert told_of() == []
    assert told_of(status=124) == [f"{api_keys.FILE}: cannot be read; check it on the host"]
    (told,) = told_of("no key at all")
    assert told.startswith(f"{api_keys.FILE}: ")
    assert told.endswith("; deploys/leadgen_06.py restores it from the vault")
