"""A manifest with something valid in each place that nobody has measured, for tests that deploy nothing."""

from typing import Any, Final

from deploys.kit.plan import manifest

VALUES: Final = ("5a" * 32, "17.6", ".".join("808"), "2026-11-27")  # a checksum, two numbers, three, a day


def fill(document: dict[str, Any]) -> dict[str, Any]:
    """The same document, changed: each value that is refused is replaced by the first that is not."""
    for key in manifest.faults(document):
        block, _, inner = key.partition(".")
        for value in VALUES:
            if key in manifest.faults(document):
                document[block][inner] = value
    return document
