"""What a new host is given: versions, secrets and settings that hold on any machine."""

import pytest

from tests.lab import inputs
from tests.lab.archives import upstream_version
from tests.lab.machine import CA_BUNDLE, pip_settings


def test_the_manifest_is_completed_and_what_was_pinned_is_kept() -> None:
    manifest = {"base": {"sha256": "unpinned"}, "postgres": {"version": "17.1"}}
    done = inputs.complete(manifest, {"base": {"sha256": "ab"}, "postgres": {"version": "17.2"}})
    assert done == {"base": {"sha256": "ab"}, "postgres": {"version": "17.1"}}


@pytest.mark.parametrize(
    ("shown", "version"), [("17.6-0+deb13u1", "17.6"), ("1:17.6-1", "17.6"), ("17~rc1-2", "17~rc1")]
)
def test_an_upstream_version_has_no_epoch_and_no_revision(shown: str, version: str) -> None:
    assert upstream_version(f"Package: postgresql-17\nVersion: {shown}\n") == version


def test_of_pip_only_what_holds_on_another_machine_is_taken_along() -> None:
    listed = """:env:.cert='/home/somebody/ca.pem'
global.find-links='/home/somebody/wheels'
global.extra-index-url='file:///home/somebody/simple https://packages.example/simple'
global.proxy='http://proxy.example:3128'
"""
    assert pip_settings(listed).splitlines() == [
        "[global]",
        f"cert = {CA_BUNDLE}",
        "extra-index-url = https://packages.example/simple",
        "proxy = http://proxy.example:3128",
    ]
