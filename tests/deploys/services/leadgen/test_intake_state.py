"""What the intake says of itself, in sentences that say what to do."""

from types import SimpleNamespace
from typing import Any

import pytest

from deploys.kit.facts import Answer
from deploys.services.leadgen import LEADGEN, Leadgen
from deploys.services.leadgen import state as intake_state
from tests.deploys.known_host import KnownHost

WELL = '{"status": "ok", "release": "a-1-0", "dependencies": {"postgres": "ok", "redis": "ok", "worker": "ok"}}'


def intake(*lines: str, ref: str = "a-1") -> list[str]:
    host: Any = KnownHost(probes={"50-release.conf": Answer(0, list(lines))})
    host.name = "host"
    release: Any = SimpleNamespace(pins={LEADGEN.name: Leadgen("3", ref)}) if ref else None
    return intake_state.troubles(host, None, release)


def test_a_host_without_an_intake_and_one_that_is_well_have_nothing_to_tell() -> None:
    assert intake() == []
    assert intake("a-1-0123456789ab", "200", WELL) == []


@pytest.mark.parametrize(
    ("lines", "words"),
    [
        (("a-1-0", "503", WELL), "no lead can be stored now (/lead/ready is 503)"),
        (("a-1-0", "000"), "no lead can be stored now (/lead/ready is 000)"),
        (("a-1-0", "200", WELL.replace('worker": "ok', 'worker": "down')), "the intake lacks worker;"),
        (("a-1-0", "200", WELL.replace('redis": "ok', 'redis": "degraded')), "the intake lacks redis;"),
        (("b-2-0", "200", WELL), "runs b-2-0, and the pin is a-1; deploys/leadgen_02.py returns to it"),
    ],
)
def test_what_is_not_well_is_told(lines: tuple[str, ...], words: str) -> None:
    (told,) = intake(*lines)
    assert words in told


def test_without_a_manifest_no_release_is_another() -> None:
    assert intake("b-2-0", "200", WELL, ref="") == []
