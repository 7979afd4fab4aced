"""The certificate by ACME as it is written: which settings are refused, and when a server is asked again."""

import datetime as dt
import os
import subprocess
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding

from deploys.kit.errors import Refused
from deploys.services.certificate import Acme, certificate
from deploys.services.nginx import Edge
from tests.deploys.known_host import Page

FILES = Acme(None, None, None, None)
SERVER = Acme("https://acme.test/dir", "ann@motorcade.test", "shortlived", "/etc/ssl/ca.pem")
EDGE = Edge("edge.test", "/etc/a/edge.pem", "/etc/b/edge.key", 1, 20, 50, 1, 1, None, None)
# Answers like the edge, with what lies in the folder of the challenges; like an edge without the route if told so.
CURL = """#!/bin/sh
for url; do :; done
[ ! -f "$EDGE_IS_BROKEN" ] || { echo nothing; exit; }
cat "$RUNTIME_DIRECTORY/public/.well-known/acme-challenge/${url##*/}"
"""
CERTBOT = """#!/bin/sh
printf '%s\\n' "$*" >>"$ASKED"
[ ! -f "$SAYS" ] || { cat "$SAYS"; exit 1; }
"""


def page(own: Acme) -> Any:  # noqa: ANN401 - as much of a page as is used
    made: Any = Page()
    made.settings.of = {Acme: own, Edge: EDGE}.get
    return made


def rendered(own: Acme, name: str) -> str:
    values = certificate.values(page(own))
    files = [*certificate.files(**values), certificate.route(**values)]
    return next(file.content for file in files if file.path.endswith(f"/{name}"))


def test_a_server_is_used_if_the_settings_name_one() -> None:
    assert certificate.by_acme(page(SERVER))
    assert not certificate.by_acme(page(FILES))


def test_everything_that_is_wrong_with_the_settings_is_in_one_error() -> None:
    wrong = Acme("http://acme.test/dir", "ann", "short lived", "ca.pem'")
    with pytest.raises(Refused) as refusal:
        certificate.by_acme(page(wrong))
    assert str(refusal.value) == (
        "group_data: certificate_directory is 'http://acme.test/dir', not an https address,"
        " certificate_contact is 'ann', not a mail address, certificate_profile is 'short lived', not the name of"
        ' a profile, certificate_ca_file is "ca.pem\'", not a path on the host;'
        " set them there as group_data/all.py shows"
    )


def test_another_server_profile_or_name_is_another_certificate_and_another_contact_is_not() -> None:
    def lineage(own: Acme) -> str:
        return str(certificate.values(page(own))["lineage"])

    same = lineage(SERVER)
    assert lineage(replace(SERVER, certificate_contact=None)) == same
    assert lineage(replace(SERVER, certificate_directory="https://acme.test/other")) != same
    assert lineage(replace(SERVER, certificate_profile=None)) != same


def test_what_is_not_set_is_not_asked_for() -> None:
    bare = replace(FILES, certificate_directory="https://acme.test/dir")
    asks = rendered(bare, "certificate-renew")
    assert "--register-unsafely-without-email" in asks
    assert "--required-profile" not in asks
    assert "REQUESTS_CA_BUNDLE" not in rendered(bare, certificate.RENEW)
    asks = rendered(SERVER, "certificate-renew")
    assert "--email 'ann@motorcade.test'" in asks
    assert "--required-profile 'shortlived'" in asks
    assert "Environment=REQUESTS_CA_BUNDLE=/etc/ssl/ca.pem\n" in rendered(SERVER, certificate.RENEW)


def test_root_may_write_where_the_pair_is_and_nowhere_else() -> None:
    unit = rendered(SERVER, certificate.INSTALL)
    assert "ReadWritePaths=/etc/ssl/motorcade-certificate /etc/a /etc/b\n" in unit


@dataclass(frozen=True)
class World:
    """Folders of certificate-renew, with programs in the place of those that it calls."""

    folder: Path
    shell: str

    def has(self, *, valid_days: float, left_days: float) -> None:
        """The server has issued a certificate."""
        end = dt.datetime.now(dt.UTC) + dt.timedelta(days=left_days)
        key, name = ec.generate_private_key(ec.SECP256R1()), x509.Name([])
        builder = x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key())
        dated = builder.not_valid_before(end - dt.timedelta(days=valid_days)).not_valid_after(end)
        made = dated.serial_number(1).sign(key, SHA256())
        self.newest.write_bytes(made.public_bytes(Encoding.PEM))

    @property
    def newest(self) -> Path:
        lineage = certificate.values(page(SERVER))["lineage"]
        folder = self.folder / f"state/config/live/{lineage}"
        folder.mkdir(parents=True, exist_ok=True)
        return folder / "cert.pem"

    def renew(self) -> tuple[int, str, list[str]]:
        """How it ended, what it said, and each call of certbot."""
        asked = self.folder / "asked"
        asked.touch()
        environ = {
            "PATH": f"{self.folder / 'bin'}:{os.environ['PATH']}",
            "RUNTIME_DIRECTORY": str(self.folder / "run"),
            "STATE_DIRECTORY": str(self.folder / "state"),
            "EDGE_IS_BROKEN": str(self.folder / "broken"),
            "SAYS": str(self.folder / "says"),
            "ASKED": str(asked),
        }
        done = subprocess.run(
            [self.shell, self.folder / "renew"],
            env=environ,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        return done.returncode, done.stdout + done.stderr, asked.read_text().splitlines()


@pytest.fixture(params=["dash", "bash"])
def world(request: pytest.FixtureRequest, tmp_path: Path) -> World:
    (tmp_path / "bin").mkdir()
    (tmp_path / "renew").write_text(rendered(SERVER, "certificate-renew"))
    for name, text in {"curl": CURL, "certbot": CERTBOT}.items():
        program = tmp_path / "bin" / name
        program.write_text(text)
        program.chmod(0o755)
    return World(tmp_path, str(request.param))


@pytest.mark.parametrize(
    ("valid_days", "left_days", "due"),
    [
        (90, 31, False),
        (90, 29, True),
        (47, 16, False),
        (47, 15, True),
        (6, 3.1, False),
        (6, 2.9, True),
        (6, -1, True),
    ],
)
def test_a_third_of_the_time_or_half_of_a_short_one_is_left_for_the_renewal(
    world: World, valid_days: float, left_days: float, *, due: bool
) -> None:
    world.has(valid_days=valid_days, left_days=left_days)
    code, said, asked = world.renew()
    assert code == 0
    assert len(asked) == due
    assert ("is not due yet" in said) is not due


def test_without_a_certificate_that_can_be_read_one_is_asked_for(world: World) -> None:
    assert len(world.renew()[2]) == 1
    world.newest.write_text("half of")
    code, _, asked = world.renew()
    assert (code, len(asked)) == (0, 2)


@pytest.mark.parametrize(("said", "times"), [("badNonce :: unacceptable", 3), ("rateLimited :: too many", 1)])
def test_only_a_refused_nonce_is_tried_again_at_once(world: World, said: str, times: int) -> None:
    (world.folder / "says").write_text(f"{said}\n")
    code, told, asked = world.renew()
    assert code == 1
    assert len(asked) == times
    assert said in told
    assert "no new one was issued" in told


def test_a_server_that_could_not_see_the_challenge_is_not_asked(world: World) -> None:
    (world.folder / "broken").touch()
    code, said, asked = world.renew()
    assert code == 1
    assert "the edge does not serve challenges (it answers: nothing); run PLAT_05A" in said
    assert asked == []
